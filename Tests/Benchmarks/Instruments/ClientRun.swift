import Glibc
import SystemRuntime
import SystemPackage

/// The short-lived programs of one round (owners_clients.c), and what each said of itself.
final class ClientRun {
  /// What one of them said.
  struct Report {
    var pid: Int32
    var port: UInt16
    /// When it called connect(2), in nanoseconds of CLOCK_MONOTONIC.
    var connected: Int64
  }

  /// Where they report, for waiting.
  let output: CInt
  private(set) var reports: [Report] = []
  private var rest: [UInt8] = []
  private var pid = pid_t()

  init(_ arguments: [String]) throws {
    var ends: [CInt] = [0, 0]
    guard unsafe pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
    output = ends[0]
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    for descriptor in ends { unsafe posix_spawn_file_actions_addclose(&actions, descriptor) }
    // strdup: the strings must stay where they are during the call.
    var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { unsafe words.forEach { unsafe free($0) } }
    let error = unsafe posix_spawn(&pid, arguments.first ?? "", &actions, nil, &words, environ)
    close(ends[1])
    guard error == 0 else { throw Errno(rawValue: error) }
  }

  deinit {
    close(output)
    var status: CInt = 0
    unsafe waitpid(pid, &status, 0)
  }

  /// Takes in what has arrived; false at the end.
  func read() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let output = output
    // In bounds: the array and its count.
    let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(output, $0.baseAddress, $0.count) }
    guard count > 0 else { return false }
    rest += buffer[..<count]
    while let end = rest.firstIndex(of: 0x0a) {
      let words = String(decoding: rest[..<end], as: UTF8.self).split(separator: " ")
      rest.removeSubrange(...end)
      if words.count == 3, let pid = Int32(words[0]), let port = UInt16(words[1]), let time = Int64(words[2])
      {
        reports.append(Report(pid: pid, port: port, connected: time))
      }
    }
    return true
  }
}
