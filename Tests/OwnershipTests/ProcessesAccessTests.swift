import Glibc
import KernelLab
import Lab
import Model
import SystemRuntime
import Testing

@testable import Ownership

@Suite struct ProcessesAccessTests {
  private let proc = ProcessesFakeProc()

  @Test func `processes that may not be read are counted, those of others still found`() throws {
    proc.add(10, sockets: [3: 501])
    proc.add(11, sockets: [3: 502])
    proc.add(12, sockets: [3: 503])
    for name in ["10/fd", "11"] { unsafe chmod("\(proc.path)/\(name)", 0) }
    defer { for name in ["10/fd", "11"] { unsafe chmod("\(proc.path)/\(name)", 0o755) } }
    let other = ProcessIdentity(pid: 12, startTime: 100)
    var table = try ProcessTable(root: proc.path)
    try ProcessesPrivileges.asNobody {
      try table.refresh()
      #expect(table.holders(of: [501, 502, 503]) == [503: [other]])
      #expect(table.denied == 2)
      #expect(table.vanished == 0 && table.failed == 0)
      // It may be known what runs, though not what it has open.
      #expect(table.description(of: ProcessIdentity(pid: 10, startTime: 100), ancestors: false) != nil)
      #expect(table.description(of: ProcessIdentity(pid: 11, startTime: 100), ancestors: false) == nil)
    }
    for name in ["10/fd", "11"] { unsafe chmod("\(proc.path)/\(name)", 0o755) }
    for _ in 0..<2 { try table.refresh() }
    #expect(table.holders(of: [501, 502, 503]).count == 3)
    #expect(table.denied == 0)
  }

  @Test(
    arguments: [
      ("hidepid=invisible", "0000000000001000", "processes_hidden"),
      ("hidepid=2", "00000000", "processes_hidden"),
      ("hidepid=2", "0000000000080000", nil), ("relatime", "0", nil),
      ("subset=pid", "000001ffffffffff", "proc_subset"),
    ] as [(String, String, String?)])
  func `hidden processes are said`(option: String, capabilities: String, code: String?) throws {
    proc.folder("self")
    proc.write("self/mounts", Array("proc \(proc.path) proc rw,\(option) 0 0\n".utf8))
    proc.write("self/status", Array("Name:\tx\nCapInh:\t0\nCapEff:\t\(capabilities)\n".utf8))
    var table = try ProcessTable(root: proc.path)
    let warning = table.accessWarning()
    #expect(warning?.code == code)
    if let warning { #expect(warning.text.contains(proc.path)) }
  }

  @Test(
    arguments: [
      ("pid:[4026531836]", "relatime", true), ("pid:[4026532177]", "relatime", false),
      ("pid:[4026531836]", "hidepid=2", false),
    ])
  func `all processes of the machine are seen in its first pid namespace`(
    link: String, option: String, isSeen: Bool
  ) throws {
    proc.folder("4711")
    proc.folder("4711/ns")
    proc.link("4711/ns/pid", link)
    proc.write("4711/mounts", Array("proc \(proc.path) proc rw,\(option) 0 0\n".utf8))
    proc.link("self", "4711")
    var table = try ProcessTable(root: proc.path)
    #expect(ChildProgram.ownPid(in: proc.path) == 4711)
    #expect(table.seesHost() == isSeen)
  }

  @Test func `this program is among the processes of /proc`() throws {
    #expect(ChildProgram.ownPid() == getpid())
  }

  @Test func `nothing is said where nothing can be known`() throws {
    var table = try ProcessTable(root: proc.path)
    #expect(table.accessWarning() == nil)
  }
}
