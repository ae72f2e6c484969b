import Foundation
import Lab
import Testing

/// connvitals 4.3.2 and connmonitor 4.1.3 beside ours, on the loopback of a network of their own: what is written is equal, but
/// for the figures and the differences of Docs/migrating.md.
///
/// The originals have 50 to 500 ms for an answer. A machine that is busy makes them late, so that they may try some times; ours
/// has time.
@Suite(.needs(.namespaces, .originals), .timeLimit(.minutes(10)))
struct BesideOriginalsTests {
  /// A network where the originals start, which they do where the address of a certain host has an IPv6 route.
  private struct Setting {
    let host: NetworkNamespace
    /// Removed with the test: it names 127.0.0.1.
    private let names: Names

    init() async throws {
      host = try await NetworkNamespace()
      names = try Names(of: host)
      try await host.ip("link add lab0 type veth peer name lab1")
      try await host.ip("addr add fd77::1/64 dev lab0 nodad")
      for device in ["lab0", "lab1"] { try await host.ip("link set \(device) up") }
      try await host.ip("-6 route add default dev lab0")
    }

    /// What a program writes to its end, without figures.
    func shapes(_ program: String, _ line: String) async throws -> [String] {
      let child = try host.start([program] + line.split(separator: " ").map(String.init))
      child.closeInput()
      #expect(try await child.ended() == .exited(0), "\(program): \(child.errors.text)")
      return child.output.lines.map(Shape.of)
    }

    /// What the original writes, tried again while it is not `expected`.
    func original(_ line: String, like expected: [String]) async throws -> [String] {
      var found: [String] = []
      for _ in 0..<5 {
        found = try await shapes(Program.original("connvitals"), line)
        if found == expected { break }
      }
      return found
    }
  }

  private final class Names: Sendable {
    private let folder: String

    init(of host: NetworkNamespace) throws {
      folder = "/etc/netns/\(host.name)"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try "127.0.0.1 one.test\n".write(toFile: "\(folder)/hosts", atomically: true, encoding: .utf8)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }
  }

  /// A line without its figures: `T` stands for one of three decimals, `F` for one of six. A loss is no figure.
  private enum Shape {
    static func of(_ line: String) -> String {
      if line.wholeMatch(of: #/\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}/#) != nil { return "ctime" }
      if line.hasPrefix("{") {
        return line.replacing(#/("loss":)?\d+\.\d{6}/#) { $0.1 == nil ? "F" : String($0.0) }
      }
      let columns = line.split(separator: "\t", omittingEmptySubsequences: false)
      return columns.enumerated().map { index, column in
        columns.count == 5 && index == 4
          ? String(column) : String(column).replacing(#/\d+\.\d{3}(?!\d)/#, with: "T")
      }.joined(separator: "\t")
    }
  }

  @Test(arguments: [
    "-p 3 127.0.0.1", "-p 1 ::1", "-p 3 one.test", "-j -p 3 one.test", "-p 2 127.0.0.1 ::1", "-tP 127.0.0.1",
    "-ts -p 3 127.0.0.1", "-tsj -p 3 ::1", "-jp 0 127.0.0.1", "-jp2 127.0.0.1", "-p 0 ::1", "-P 127.0.0.1",
    "-jP 127.0.0.1 ::1",
    "-sP 127.0.0.1", "-sPj ::1", "-t -H 3 -p 2 127.0.0.1 127.0.0.1",
  ])
  func `connvitals writes what the original writes`(line: String) async throws {
    let setting = try await Setting()
    let services = try await Services(["plain", "mysql"], in: setting.host)
    let ours = try await setting.shapes(Program.path("connvitals"), "--timeout 60 \(line)")
    #expect(try await setting.original(line, like: ours) == ours)
    #expect(!ours.isEmpty)
    withExtendedLifetime(services) {}
  }

  /// The defects of the original that are seen here.
  @Test(arguments: [
    // TLS 1.0, and a word misspelled.
    (["bare", "https"], "T, 200, Unkown\tNone\tNone", "T, 200, Unknown\tT, 200, tls13\tNone"),
    (["mysql8"], "None\tNone\tT, 8.0.3", "None\tNone\tT, 8.0.36"),
  ])
  func `where they differ, migrating says so`(words: [String], original: String, ours: String) async throws {
    let setting = try await Setting()
    let services = try await Services(words, in: setting.host)
    let found = try await setting.shapes(Program.path("connvitals"), "--timeout 60 -sP 127.0.0.1")
    #expect(found == ["127.0.0.1", ours])
    let expected = ["127.0.0.1", original]
    #expect(try await setting.original("-sP 127.0.0.1", like: expected) == expected)
    withExtendedLifetime(services) {}
  }

  /// One statistic each time: processes of the original write into each other's records.
  @Test(
    arguments: ["ping=100 numpings=2", "ping=0 trace=100", "ping=0 scan=100"],
    ["", "json=true", "timestamp=false", "json=true timestamp=false"])
  func `connmonitor writes what the original writes`(statistic: String, format: String) async throws {
    let setting = try await Setting()
    let services = try await Services(["plain"], in: setting.host)
    let folder = try ScratchFolder()
    let file = try folder.write("one.test \(statistic) \(format)\n", to: "targets.conf")
    // A route is written once; of scans the original's first alone is right, as the test below shows.
    let records = statistic.contains("ping=100") ? 3 : 1
    let size = format.contains("json") ? 1 : format.contains("timestamp") ? 2 : 3
    var (original, ours) = ([""], [String]())
    for _ in 0..<5 where original != ours {
      let monitor = try setting.host.start([Program.path("connmonitor"), file])
      ours = try await Self.lines(records * size, of: monitor)
      #expect(Set(ours).count == size)
      #expect(try await monitor.stop() == .exited(0))
      #expect(monitor.output.lines.last == "")
      let child = try setting.host.start([Program.original("connmonitor"), file])
      original = try await Self.lines(records * size, of: child)
      // At its beginning a signal ends it with a traceback.
      try await child.stop()
    }
    #expect(original == ours)
    withExtendedLifetime(services) {}
  }

  /// The original reads an answer on a connection that the server has closed.
  @Test func `where connmonitor differs, migrating says so`() async throws {
    let setting = try await Setting()
    let services = try await Services(["plain"], in: setting.host)
    let folder = try ScratchFolder()
    let file = try folder.write("127.0.0.1 ping=0 scan=100 timestamp=false\n", to: "targets.conf")
    let child = try setting.host.start([Program.original("connmonitor"), file])
    try await child.output.first("a scan of nothing") {
      Shape.of($0) == "T, \0\0\0, Unkown\tNone\tNone" ? () : nil
    }
    try await child.stop()
    let monitor = try setting.host.start([Program.path("connmonitor"), file])
    try await eventually("three scans", state: { monitor.output.text + monitor.errors.text }) {
      monitor.output.lines.filter { Shape.of($0) == "T, 200, lab\tNone\tNone" }.count >= 3 ? () : nil
    }
    #expect(!monitor.output.text.contains("\0") && !monitor.output.text.contains("Unk"))
    #expect(try await monitor.stop() == .exited(0))
    withExtendedLifetime(services) {}
  }

  /// The first lines of a program that goes on, without figures.
  private static func lines(_ count: Int, of child: ChildProcess) async throws -> [String] {
    try await eventually("\(count) lines", state: { child.output.text + child.errors.text }) {
      child.output.lines.count >= count ? child.output.lines.prefix(count).map(Shape.of) : nil
    }
  }
}
