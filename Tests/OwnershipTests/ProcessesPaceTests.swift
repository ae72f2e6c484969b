import Glibc
import Lab
import SystemRuntime
import Testing

@testable import Netfilter
@testable import Ownership

@Suite struct ProcessesPaceTests {
  private static func count(_ text: String) -> ThreadCount? { ThreadCount(Array(text.utf8)[...]) }

  private static func count(_ threads: Int, _ last: Int) -> ThreadCount? {
    count("0.00 0.01 0.05 1/\(threads) \(last)\n")
  }

  @Test func `the count of threads and the last number are read`() {
    let count = Self.count("4.34 6.54 8.75 6/127 13311\n")
    #expect(count?.threads == 127 && count?.last == 13311)
  }

  @Test(arguments: [
    "", "\n", "0.1 0.2 0.3 1/99", "0.1 0.2 0.3 199 10\n", "0.1 0.2 0.3 1/ 10\n", "0.1 0.2 0.3 /x 10\n",
    "0.1 0.2 0.3 1/99 -10\n", "0.1 0.2 0.3 1/99 10 11\n", "0.1 0.2 0.3 1/99999999999 10\n",
    // A sandbox that counts nothing.
    "0.00 0.00 0.00 0/0 0\n",
  ])
  func `what makes no sense is no count`(_ text: String) {
    #expect(Self.count(text) == nil)
  }

  /// The file of a tree in which `self` is `reader`; and the file as `prepare` leaves it.
  private static func file(
    reader: String, _ prepare: (ProcessesFakeProc) -> Void
  ) throws -> (count: ThreadCount?, isThere: Bool) {
    let tree = ProcessesFakeProc()
    tree.link("self", reader)
    prepare(tree)
    guard let file = ThreadCountFile(root: try OpenFile(tree.path, isFolder: true)) else {
      return (nil, false)
    }
    var buffer = [UInt8](repeating: 0, count: 128)
    // It is read again and again.
    _ = file.read(into: &buffer)
    return (file.read(into: &buffer), true)
  }

  @Test func `the file is believed where it counts the processes that are listed`() throws {
    let text = Array("0.00 0.01 0.05 1/10 5\n".utf8)
    let own = "\(getpid())"
    #expect(try Self.file(reader: own) { $0.write("loadavg", text) } == (Self.count(10, 5), true))
    // Another pid namespace's /proc: it counts its own.
    #expect(try Self.file(reader: "\(getpid() + 1)") { $0.write("loadavg", text) } == (nil, false))
    #expect(try Self.file(reader: "\(own)/task") { $0.write("loadavg", text) } == (nil, false))
    #expect(try Self.file(reader: own) { _ in } == (nil, false))
    // A file of another file system in its place, as containers have it.
    #expect(try Self.file(reader: own) { $0.link("loadavg", "/proc/loadavg") } == (nil, false))
    // Unreadable for a moment, and still there.
    #expect(try Self.file(reader: own) { $0.write("loadavg", []) } == (nil, true))
  }

  @Test func `it is listed at each change and once more, then only now and then`() {
    var pace = ListingPace()
    let counts = [
      (Self.count(10, 5), true), (Self.count(10, 5), true), (Self.count(10, 5), false),
      (Self.count(10, 5), false),
      // One started, and so did one that has ended since; one ended.
      (Self.count(11, 6), true), (Self.count(11, 8), true), (Self.count(11, 8), true),
      (Self.count(11, 8), false), (Self.count(10, 8), true), (Self.count(10, 8), true),
      (Self.count(10, 8), false),
      // What is not known now is not known to be the same afterwards.
      (nil, true), (nil, true), (Self.count(10, 8), true), (Self.count(10, 8), true),
      (Self.count(10, 8), false),
    ]
    for (index, (count, isDue)) in counts.enumerated() {
      #expect(pace.isDue(count) == isDue, "\(index)")
    }
  }

  @Test func `without any change it is listed every 16 ticks`() {
    var pace = ListingPace()
    let listed = (0..<100).filter { _ in pace.isDue(Self.count(10, 5)) }
    #expect(listed == [0, 1] + stride(from: 17, to: 100, by: ListingPace.longestPause))
  }
}
