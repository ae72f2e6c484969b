import Lab
import SystemRuntime
import Model
import Testing

@testable import Ownership

@Suite struct ProcessesDescriptionTests {
  private let proc = ProcessesFakeProc()

  private func table(_ limits: ProcessTable.Limits = ProcessTable.Limits()) throws -> ProcessTable {
    var table = try ProcessTable(root: proc.path, limits: limits)
    try table.refresh()
    return table
  }

  private func identity(_ pid: Int32, _ start: UInt64 = 100) -> ProcessIdentity {
    ProcessIdentity(pid: pid, startTime: start)
  }

  @Test func `all that is known of a process`() throws {
    proc.add(
      10, arguments: Array("/usr/bin/python3\0/srv/x.py\0--all\0".utf8), executable: "/usr/bin/python3.11")
    var table = try table()
    #expect(
      table.description(of: identity(10), ancestors: false)
        == ProcessDescription(
          identity: identity(10), uid: 1000, executable: "/usr/bin/python3.11",
          arguments: ["/usr/bin/python3", "/srv/x.py", "--all"],
          commandLine: "/usr/bin/python3 /srv/x.py --all"))
  }

  @Test(
    arguments: [
      // name, arguments, file; what they become
      ("a) b", "\0\0", "/bin/a", "a) b", "/bin/a"), ("x\ny", "", nil, "x\ny", nil),
      ("gone", "gone\0-d\0", "/opt/gone (deleted)", "gone -d", "/opt/gone (deleted)"),
      ("t", "nginx: worker\0\0\0", "/usr/sbin/nginx", "nginx: worker", "/usr/sbin/nginx"),
      ("e", "\u{1}\n\0", "/e", "\u{1}\n", "/e"),
    ] as [(String, String, String?, String, String?)])
  func `hostile and odd processes`(
    name: String, arguments: String, file: String?, commandLine: String, executable: String?
  ) throws {
    proc.add(10, name: Array(name.utf8), arguments: Array(arguments.utf8), executable: file)
    var table = try table()
    let described = table.description(of: identity(10), ancestors: true)
    let description = try #require(described)
    #expect(description.commandLine == commandLine)
    #expect(description.executable == executable)
    #expect(table.failed == 0)
  }

  /// One that is just ending has lost its memory, and so its command line and executable, before its sockets.
  @Test(arguments: [(UInt32(0x0020_8040), "[kworker/0:1]"), (0x0040_0004, "kworker/0:1"), (0, "kworker/0:1")])
  func `only a kernel thread stands in brackets`(flags: UInt32, name: String) throws {
    proc.add(10, arguments: [], executable: nil)
    proc.stat(10, start: 100, name: Array("kworker/0:1".utf8), flags: flags)
    var table = try table()
    #expect(table.description(of: identity(10), ancestors: false)?.commandLine == name)
    var finder = try OwnerFinder(root: proc.path, usesEvents: false, at: .now)
    #expect(finder.description(of: identity(10))?.commandLine == name)
  }

  @Test func `a hundred kilobytes of arguments are cut, and counted`() throws {
    proc.add(10, arguments: Array(repeating: Array("0123456789abcde\0".utf8), count: 6400).flatMap(\.self))
    var table = try table()
    let described = table.description(of: identity(10), ancestors: false)
    let description = try #require(described)
    #expect(description.commandLine.utf8.count == 65535)
    #expect(description.arguments.count == 32)
    #expect(table.truncated == 1)
  }

  @Test func `a name that is not UTF-8 is repaired`() throws {
    proc.add(10, arguments: [0xff, 0xfe, 0, 0x61, 0xc3])
    var table = try table()
    #expect(
      table.description(of: identity(10), ancestors: false)?.commandLine == "\u{fffd}\u{fffd} a\u{fffd}")
  }

  @Test func `a process with another start time is not described`() throws {
    proc.add(10, start: 200)
    var table = try table()
    #expect(table.description(of: identity(10, 100), ancestors: false) == nil)
    #expect(table.description(of: identity(11, 100), ancestors: false) == nil)
    #expect(table.vanished == 2)
  }

  @Test func `the command line follows exec`() throws {
    proc.add(10, arguments: Array("sh\0-c\0".utf8))
    var table = try table()
    #expect(table.description(of: identity(10), ancestors: false)?.commandLine == "sh -c")
    proc.write("10/cmdline", Array("curl\0h\0".utf8))
    proc.link("10/exe", "/usr/bin/curl")
    // Not looked at twice in a tick.
    #expect(table.description(of: identity(10), ancestors: false)?.commandLine == "sh -c")
    try table.refresh()
    let now = table.description(of: identity(10), ancestors: false)
    #expect(now?.commandLine == "curl h")
    #expect(now?.executable == "/usr/bin/curl")
  }

  @Test func `an old process is followed within eight ticks`() throws {
    proc.add(10)
    var table = try table()
    for _ in 0..<50 {
      try table.refresh()
      _ = table.description(of: identity(10), ancestors: false)
    }
    proc.write("10/cmdline", Array("new\0".utf8))
    var ticks = 0
    repeat {
      try table.refresh()
      ticks += 1
    } while table.description(of: identity(10), ancestors: false)?.commandLine != "new" && ticks < 100
    #expect(ticks <= 8)
  }

  @Test func `a process that is known to run another program has its new name at once`() throws {
    proc.add(10)
    var table = try table()
    for _ in 0..<50 {
      try table.refresh()
      _ = table.description(of: identity(10), ancestors: false)
    }
    proc.write("10/cmdline", Array("new\0".utf8))
    try table.refresh()
    // One that was never described, and the past of a pid, change nothing.
    table.recheck([identity(10), identity(11), identity(10, 99)])
    #expect(table.description(of: identity(10), ancestors: false)?.commandLine == "new")
    #expect(table.description(of: identity(11), ancestors: false) == nil)
  }

  @Test
  func `who was described by memory is looked at once more when its turn comes, and all are said at once`()
    throws
  {
    for pid in [10, 11, 12, 13] { proc.add(Int32(pid)) }
    var table = try table()
    for _ in 0..<2 {
      for pid in [10, 11, 12] as [Int32] { _ = table.description(of: identity(pid), ancestors: false) }
      #expect(table.renamed() == [])
      try table.refresh()
    }
    for pid in 10...13 { proc.write("\(pid)/cmdline", Array("new \(pid)\0".utf8)) }
    // Of these, one is reported by the kernel, one has ended, and one was never described.
    for pid in [10, 12] as [Int32] {
      #expect(table.description(of: identity(pid), ancestors: false)?.commandLine == "prog -x")
    }
    table.recheck([identity(11), identity(13)])
    proc.end(12)
    #expect(table.renamed().map(\.commandLine) == ["new 11"])
    var ticks = 0
    var names: [String] = []
    repeat {
      try table.refresh()
      ticks += 1
      names = table.renamed().map(\.commandLine)
    } while names.isEmpty && ticks < 20
    #expect(names == ["new 10"] && ticks <= 16)
    try table.refresh()
    #expect(table.renamed() == [])
  }

  @Test func `a process that has ended but is not reaped keeps its name`() throws {
    proc.add(10)
    var table = try table()
    _ = table.description(of: identity(10), ancestors: false)
    proc.stat(10, start: 100, name: Array("prog".utf8), state: "Z")
    proc.write("10/cmdline", [])
    try table.refresh()
    #expect(table.description(of: identity(10), ancestors: false)?.commandLine == "prog -x")
  }

  @Test func `an ended process keeps its name until it is dropped`() throws {
    proc.add(10)
    var table = try table()
    _ = table.description(of: identity(10), ancestors: false)
    table.drop(identity(10))
    #expect(table.description(of: identity(10), ancestors: false) != nil)
    proc.end(10)
    for _ in 0..<20 { try table.refresh() }
    #expect(table.description(of: identity(10), ancestors: false)?.commandLine == "prog -x")
    table.drop(identity(10))
    #expect(table.description(of: identity(10), ancestors: false) == nil)
  }

  @Test func `a reused pid has two descriptions`() throws {
    proc.add(10, arguments: Array("old\0".utf8))
    var table = try table()
    _ = table.description(of: identity(10), ancestors: false)
    proc.end(10)
    proc.add(10, start: 200, arguments: Array("new\0".utf8))
    try table.refresh()
    #expect(table.exited == [identity(10)])
    #expect(table.description(of: identity(10, 200), ancestors: false)?.commandLine == "new")
    #expect(table.description(of: identity(10), ancestors: false)?.commandLine == "old")
  }

  @Test func `ancestors up to pid 1`() throws {
    proc.add(1, start: 0, parent: 0, arguments: Array("/sbin/init\0".utf8))
    proc.add(20, start: 10, arguments: Array("supervisor\0".utf8))
    proc.add(10, start: 30, parent: 20)
    var table = try table()
    let described = table.description(of: identity(10, 30), ancestors: true)
    #expect(described?.ancestors == ["supervisor", "/sbin/init"])
    #expect(table.description(of: identity(10, 30), ancestors: false)?.ancestors == [])
    // Its parent ends and init inherits it.
    proc.end(20)
    proc.stat(10, start: 30, name: [], parent: 1)
    try table.refresh()
    #expect(
      table.description(of: identity(10, 30), ancestors: true)?.ancestors == ["supervisor", "/sbin/init"])
  }

  @Test func `a younger process with the parent's pid is no ancestor`() throws {
    proc.add(20, start: 500)
    proc.add(10, start: 30, parent: 20)
    var table = try table()
    #expect(table.description(of: identity(10, 30), ancestors: true)?.ancestors == [])
  }

  @Test func `a loop of parents ends`() throws {
    proc.add(10, parent: 11, arguments: Array("a\0".utf8))
    proc.add(11, parent: 12, arguments: Array("b\0".utf8))
    proc.add(12, parent: 10, arguments: Array("c\0".utf8))
    proc.add(13, parent: 13)
    var table = try table()
    #expect(table.description(of: identity(10), ancestors: true)?.ancestors == ["b", "c"])
    #expect(table.description(of: identity(13), ancestors: true)?.ancestors == [])
  }

  @Test func `sixteen ancestors at most`() throws {
    for pid in Int32(2)..<40 { proc.add(pid, parent: pid - 1) }
    var table = try table()
    #expect(table.description(of: identity(39), ancestors: true)?.ancestors.count == 16)
  }

  @Test func `memory is bounded, the ended go first`() throws {
    var limits = ProcessTable.Limits()
    limits.descriptions = 4
    for pid in Int32(10)..<18 { proc.add(pid, arguments: Array("p\(pid)\0".utf8)) }
    var table = try table(limits)
    for pid in Int32(10)..<16 { #expect(table.description(of: identity(pid), ancestors: false) != nil) }
    #expect(table.descriptions.count == 4)
    #expect(table.notRemembered == 2)
    proc.end(10)
    proc.end(11)
    try table.refresh()
    #expect(table.description(of: identity(16), ancestors: false)?.commandLine == "p16")
    #expect(table.notRemembered == 2)
    #expect(table.descriptions.count == 4)
    #expect(table.description(of: identity(10), ancestors: false) == nil)
    #expect(table.description(of: identity(11), ancestors: false)?.commandLine == "p11")
  }

  @Test func `text is bounded`() throws {
    var limits = ProcessTable.Limits()
    limits.descriptionBytes = 1000
    proc.add(10, arguments: Array(repeating: 0x61, count: 2000))
    proc.add(11)
    var table = try table(limits)
    #expect(table.description(of: identity(10), ancestors: false)?.commandLine.utf8.count == 2000)
    #expect(table.description(of: identity(11), ancestors: false) != nil)
    #expect(table.notRemembered == 1)
    #expect(table.descriptionBytes == table.descriptions.values.reduce(0) { $0 + $1.byteCount })
  }
}
