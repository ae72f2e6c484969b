import Lab
import Model
import Testing

@testable import Ownership
@testable import SystemRuntime

@Suite struct ProcessesHoldersTests {
  private let proc = ProcessesFakeProc()

  private func table(_ limits: ProcessTable.Limits = ProcessTable.Limits()) throws -> ProcessTable {
    var table = try ProcessTable(root: proc.path, limits: limits)
    try table.refresh()
    return table
  }

  private func identity(_ pid: Int32, _ start: UInt64 = 100) -> ProcessIdentity {
    ProcessIdentity(pid: pid, startTime: start)
  }

  @Test func `a socket's holder is found, and nothing else`() throws {
    proc.add(10, sockets: [3: 501, 4: 502])
    proc.add(11, sockets: [3: 503])
    proc.link("11/fd/0", "/dev/null")
    proc.link("11/fd/1", "pipe:[501]")
    var table = try table()
    #expect(table.holders(of: [501, 503, 999]) == [501: [identity(10)], 503: [identity(11)]])
    #expect(table.holders(of: []) == [:])
    #expect(table.vanished == 0 && table.denied == 0 && table.failed == 0 && table.dropped == 0)
  }

  @Test func `files beside the processes are passed over`() throws {
    proc.folder("sys")
    proc.folder("99999999999999999999")
    proc.folder("12x")
    proc.write("uptime", [])
    proc.add(10, sockets: [3: 501])
    var table = try table()
    #expect(table.holders(of: [501]) == [501: [identity(10)]])
    #expect(table.processes.map(\.pid) == [10])
  }

  @Test func `all holders of a shared socket are known, the oldest first`() throws {
    proc.add(10, start: 300, sockets: [3: 501, 4: 501])
    proc.add(11, start: 200, sockets: [5: 501])
    proc.add(12, start: 400)
    var table = try table()
    #expect(table.holders(of: [501]) == [501: [identity(11, 200), identity(10, 300)]])
    // A child inherits it.
    proc.add(13, start: 500, sockets: [3: 501])
    try table.refresh()
    #expect(table.holders(of: [501])[501]?.map(\.pid) == [11, 10, 13])
    // The parent closes it.
    proc.close(11, 5)
    try table.refresh()
    #expect(table.holders(of: [501])[501]?.map(\.pid) == [10, 13])
  }

  @Test func `what is known is not read again`() throws {
    for pid in Int32(10)..<20 { proc.add(pid, sockets: [3: UInt64(pid)]) }
    var table = try table()
    let wanted = Set(UInt64(10)..<20)
    let first = table.holders(of: wanted)
    #expect(first.count == 10)
    #expect(table.scans == 10)
    for _ in 0..<5 {
      try table.refresh()
      #expect(table.holders(of: wanted) == first)
    }
    #expect(table.scans == 10)
    #expect(table.remembered == 0)
  }

  @Test func `a new socket of a known process is found`() throws {
    proc.add(10, sockets: [3: 501])
    var table = try table()
    _ = table.holders(of: [501])
    proc.hold(10, 4, 502)
    try table.refresh()
    #expect(table.holders(of: [501, 502]) == [501: [identity(10)], 502: [identity(10)]])
  }

  @Test func `a socket that was passed on leaves its former holder`() throws {
    proc.add(10, sockets: [3: 501])
    proc.add(11)
    var table = try table()
    #expect(table.holders(of: [501]) == [501: [identity(10)]])
    // The descriptor now is another socket, and there are as many as before.
    proc.hold(10, 3, 777)
    proc.hold(11, 3, 501)
    try table.refresh()
    #expect(table.holders(of: [501]) == [501: [identity(11)]])
    #expect(table.holders(of: [777]) == [777: [identity(10)]])
  }

  @Test func `a closed socket has no holder`() throws {
    proc.add(10, sockets: [3: 501])
    var table = try table()
    #expect(table.holders(of: [501]).count == 1)
    proc.close(10, 3)
    try table.refresh()
    #expect(table.holders(of: [501]) == [:])
  }

  // Above the highest that the kernel gives.
  private static let pid: Int32 = 5_000_000

  @Test func `a process goes on in its threads when its main one has ended, under the name of what they run`()
    throws
  {
    proc.add(Self.pid, sockets: [3: 501])
    proc.addThreads(Self.pid, [Self.pid + 1: [3: 501]])
    var table = try table()
    #expect(table.holders(of: [501]) == [501: [identity(Self.pid)]])
    proc.close(Self.pid, 3)
    proc.stat(Self.pid, start: 100, name: Array("prog".utf8), state: "Z")
    proc.write("\(Self.pid)/cmdline", [])
    for _ in 0..<3 {
      try table.refresh()
      #expect(table.holders(of: [501]) == [501: [identity(Self.pid)]])
    }
    #expect(table.description(of: identity(Self.pid), ancestors: false)?.commandLine == "thread -x")
    #expect(table.description(of: identity(Self.pid), ancestors: false)?.executable == "/usr/bin/thread")
    // Its last thread ends, and with it the process.
    proc.close(Self.pid, 3, thread: Self.pid + 1)
    try table.refresh()
    #expect(table.holders(of: [501]) == [:])
  }

  /// The answers of kcmp(2), by the two threads: -1 as a container's filter has it.
  @Test(
    arguments: [
      (answers: [:], mainHasNone: true, found: [11]), (answers: [:], mainHasNone: false, found: []),
      (answers: [[10, 11]: 1, [10, 12]: 1], mainHasNone: true, found: []),
      (answers: [[10, 11]: 0, [10, 12]: 0, [11, 12]: 1], mainHasNone: true, found: [11]),
      (answers: [[10, 11]: 0, [10, 12]: 0, [11, 12]: 0], mainHasNone: false, found: [11, 12]),
    ] as [(answers: [[Int32]: CInt], mainHasNone: Bool, found: [Int32])])
  func `where threads cannot be compared, one stands for a main thread without descriptors`(
    row: (answers: [[Int32]: CInt], mainHasNone: Bool, found: [Int32])
  ) throws {
    proc.add(10, sockets: [:])
    proc.addThreads(10, [11: [3: 501], 12: [3: 501]])
    let root = try OpenFile(proc.path, isFolder: true)
    var threads = SeparateThreads { row.answers[[$0, $1]] ?? -1 }
    #expect(threads.withDescriptors(of: 10, mainHasNone: row.mainHasNone, in: root) == row.found)
  }

  @Test func `a thread with descriptors of its own is looked at where nobody else has a socket`() throws {
    for pid in Int32(10)..<20 { proc.add(pid, sockets: [3: UInt64(pid)]) }
    proc.add(Self.pid, sockets: [3: 501])
    proc.addThreads(Self.pid, [Self.pid + 1: [3: 501, 4: 502], Self.pid + 2: [3: 501]])
    var table = try table()
    #expect(table.holders(of: [501]) == [501: [identity(Self.pid)]])
    #expect(table.processes.map(\.threads).joined().isEmpty)
    try table.refresh()
    #expect(table.holders(of: [501, 502]) == [501: [identity(Self.pid)], 502: [identity(Self.pid)]])
    let scans = table.scans
    for _ in 0..<3 {
      try table.refresh()
      #expect(table.holders(of: [502]) == [502: [identity(Self.pid)]])
    }
    #expect(table.scans == scans)
    proc.hold(Self.pid, 5, 503)
    try table.refresh()
    #expect(table.holders(of: [502, 503]).count == 2)
    proc.close(Self.pid, 4, thread: Self.pid + 1)
    try table.refresh()
    #expect(table.holders(of: [502, 503]) == [503: [identity(Self.pid)]])
  }

  /// Another thread saw whose socket it was, and nobody else ever read the process.
  @Test func `one that was only asked for is reported once it ends`() throws {
    proc.add(10)
    var table = try table()
    #expect(table.lives(identity(10)) && !table.lives(identity(11)) && !table.lives(identity(10, 99)))
    proc.end(10)
    try table.refresh()
    #expect(table.exited == [identity(10)])
  }

  @Test func `a process that ends is reported once`() throws {
    proc.add(10, sockets: [3: 501])
    proc.add(11, sockets: [3: 502])
    proc.add(12)
    var table = try table()
    _ = table.holders(of: [501, 502])
    #expect(table.exited == [])
    proc.end(10)
    try table.refresh()
    #expect(table.exited == [identity(10)])
    #expect(table.holders(of: [501, 502]) == [502: [identity(11)]])
    try table.refresh()
    #expect(table.exited == [])
  }

  @Test(arguments: [true, false])
  func `a pid that is used again is another process`(isSeenBetween: Bool) throws {
    proc.add(10, start: 100, sockets: [3: 501])
    var table = try table()
    #expect(table.holders(of: [501]) == [501: [identity(10, 100)]])
    proc.end(10)
    if isSeenBetween { try table.refresh() }
    proc.add(10, start: 200, sockets: [3: 502])
    if !isSeenBetween { try table.refresh() }
    #expect(table.exited == [identity(10, 100)])
    if isSeenBetween { try table.refresh() }
    #expect(table.holders(of: [501, 502]) == [502: [identity(10, 200)]])
  }

  @Test func `a pid that is used again between listing and look is noticed`() throws {
    proc.add(10, start: 100, sockets: [3: 501])
    var table = try table()
    #expect(table.holders(of: [501]) == [501: [identity(10, 100)]])
    try table.refresh()
    proc.end(10)
    proc.add(10, start: 200, sockets: [3: 501])
    #expect(table.holders(of: [501]) == [501: [identity(10, 200)]])
    try table.refresh()
    #expect(table.exited == [identity(10, 100)])
  }

  @Test func `a thread that has got the pid of a process that ended is no process`() throws {
    proc.add(10, start: 100, sockets: [3: 501])
    proc.add(20, start: 200, sockets: [3: 502])
    var table = try table()
    #expect(table.holders(of: [501, 502]) == [501: [identity(10)], 502: [identity(20, 200)]])
    proc.end(10)
    proc.add(10, start: 700, sockets: [3: 502])
    proc.write("10/status", Array("Name:\tprog\nTgid:\t20\nUid:\t0\t0\t0\t0\n".utf8))
    #expect(table.holders(of: [501, 502]) == [502: [identity(20, 200)]])
    #expect(table.vanished == 1)
  }

  @Test func `a process that vanishes between listing and look is counted, not thrown`() throws {
    proc.add(10, sockets: [3: 501])
    proc.add(11, sockets: [3: 502])
    // Pids without anything inside, as a process that ends while it is read.
    proc.folder("12")
    proc.folder("13")
    proc.stat(13, start: 1, name: [])
    var table = try table()
    proc.end(10)
    #expect(table.holders(of: [501, 502]) == [502: [identity(11)]])
    #expect(table.vanished == 3)
  }

  @Test func `a stat that makes no sense is counted, and its sockets have no holder`() throws {
    proc.add(10, sockets: [3: 501])
    proc.write("10/stat", Array("10 (prog".utf8))
    var table = try table()
    #expect(table.holders(of: [501]) == [:])
    #expect(table.failed == 1)
  }

  @Test func `a socket that nobody holds is searched with growing pauses`() throws {
    for pid in Int32(10)..<20 { proc.add(pid, sockets: [3: UInt64(pid)]) }
    var table = try table()
    _ = table.holders(of: [10])
    var searches = 0
    for _ in 0..<64 {
      try table.refresh()
      let before = table.scans
      #expect(table.holders(of: [10, 999]) == [10: [identity(10)]])
      if table.scans > before { searches += 1 }
    }
    // At ticks 1, 2, 4, 8, 16, 32, 64.
    #expect((6...7).contains(searches))
    proc.add(20, sockets: [3: 999])
    try table.refresh()
    #expect(table.holders(of: [999]) == [999: [identity(20)]])
  }

  @Test func `where the kernel counts descriptors a search ends with the find`() throws {
    proc.folder("self")
    proc.folder("self/fd")
    for pid in Int32(10)..<20 { proc.add(pid, sockets: [3: UInt64(pid)]) }
    proc.hold(15, 4, 600)
    var table = try table()
    _ = table.holders(of: [10])
    let before = table.scans
    // As many descriptors as before, another socket.
    proc.hold(15, 4, 601)
    try table.refresh()
    #expect(table.holders(of: [10, 601]) == [10: [identity(10)], 601: [identity(15)]])
    #expect(table.scans == before + 1)
  }

  @Test func `with few looks a tick each remembered descriptor still has its turn`() throws {
    var limits = ProcessTable.Limits()
    limits.linkChecks = 10
    for pid in Int32(10)..<50 { proc.add(pid, sockets: [3: UInt64(pid)]) }
    var table = try table(limits)
    let wanted = Set(UInt64(10)..<50)
    _ = table.holders(of: wanted)
    for pid in Int32(10)..<50 { proc.hold(pid, 3, UInt64(pid) + 1000) }
    for _ in 0..<4 {
      try table.refresh()
      _ = table.holders(of: wanted)
    }
    #expect(table.holders(of: wanted) == [:])
  }

  @Test func `what does not fit is counted`() throws {
    var limits = ProcessTable.Limits()
    limits.sockets = 5
    proc.add(10, sockets: [3: 1, 4: 2, 5: 3, 6: 4])
    proc.add(11, sockets: [3: 5, 4: 6, 5: 7])
    var table = try table(limits)
    #expect(table.holders(of: [1, 2, 3, 4, 5, 6, 7]).count == 5)
    #expect(table.dropped == 2)
  }

  @Test func `a folder that is not there is an error with its name`() {
    let error = #expect(throws: KernelError.self) { _ = try ProcessTable(root: "/nowhere/proc") }
    #expect(error?.description.contains("/nowhere/proc") == true)
  }
}
