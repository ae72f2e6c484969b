import Dispatch
import Lab
import Synchronization
import Testing

@testable import SystemRuntime

/// The thread that comes first, in a process of its own: other tests of this one use it too.
@Suite struct FirstThreadTests {
  /// A thread's work, which is to say what it is and then to wait until it may end.
  private final class Visit: Sendable {
    private let status = Mutex<[String: String]>([:])
    private let isThere = DispatchSemaphore(value: 0)
    private let mayEnd = DispatchSemaphore(value: 0)

    init(_ name: String, comesFirst: Bool = true) throws {
      try WorkerThread.start(name, comesFirst: comesFirst) { self.run() }
      isThere.wait()
    }

    private func run() {
      let text = (try? WholeFile.read("/proc/thread-self/status", limit: 1 << 16)) ?? []
      status.withLock {
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
          let words = line.split(separator: ":\t")
          if words.count == 2 { $0[String(words[0])] = String(words[1]) }
        }
      }
      isThere.signal()
      mayEnd.wait()
    }

    func end() { mayEnd.signal() }

    /// The value of a field of proc_pid_status(5).
    subscript(field: String) -> String? { status.withLock { $0[field] } }

    var capabilities: Capabilities {
      Capabilities(rawValue: self["CapEff"].flatMap { UInt64($0, radix: 16) } ?? .max)
    }
  }

  @Test func `it is used again, and alone keeps its capability`() async throws {
    if !RealTimeThread.hasCapability { try Requirement.skip(for: "cap_sys_nice") }
    await #expect(processExitsWith: .success) {
      let kept = Capabilities.effective.intersection(.priority)
      let first = try Visit("first")
      try Confinement.drop(toKeep: [], children: .none)
      #expect(first["Name"] == "first")
      // While it is in use others have what all have.
      for comesFirst in [true, false] {
        let other = try Visit("other", comesFirst: comesFirst)
        #expect(other["Pid"] != first["Pid"] && other.capabilities.isEmpty)
        other.end()
      }
      first.end()
      // It takes a moment to return, for which the call waits; a busy machine may need more.
      var tries = 0
      var isAgain = false
      while !isAgain, tries < 100 {
        let next = try Visit("next")
        next.end()
        tries += 1
        isAgain = next["Pid"] == first["Pid"]
        if isAgain { #expect(next["Name"] == "next" && next.capabilities == kept) }
      }
      #expect(isAgain)
    }
  }
}
