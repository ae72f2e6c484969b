import Lab
import Model
import SystemRuntime
import Testing

@testable import Netfilter
@testable import Ownership

/// Which process a pid stands for, and what the finder knows it to run.
@Suite struct OwnersIdentityTests {
  private let proc = ProcessesFakeProc()
  private let start = Instant.now

  @Test func `a pid that another process has got is another identity`() throws {
    proc.add(10, start: 100, sockets: [3: 501])
    var finder = try proc.finder(at: start)
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == ProcessIdentity(10, 100))
    #expect(finder.description(of: ProcessIdentity(10, 100))?.commandLine == "prog -x")
    proc.end(10)
    proc.add(10, start: 700, arguments: Array("other\0".utf8), sockets: [3: 502])
    finder.take(.exit(10))
    finder.take(.fork(parent: 1, child: 10))
    #expect(finder.owner(ofInode: 502, uid: 1000)?.owner == ProcessIdentity(10, 700))
    #expect(finder.description(of: ProcessIdentity(10, 700))?.commandLine == "other")
    // The former keeps its name.
    #expect(finder.description(of: ProcessIdentity(10, 100))?.commandLine == "prog -x")
  }

  @Test func `a pid that was reused without an event is noticed`() throws {
    proc.add(10, start: 100, sockets: [3: 501])
    var finder = try proc.finder(at: start) { $0.folders = 0 }
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == ProcessIdentity(10, 100))
    proc.end(10)
    // It even has the same socket under the same number.
    proc.add(10, start: 700, sockets: [3: 501])
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == ProcessIdentity(10, 700))
  }

  @Test func `a thread that has got the pid of a process that ended is no process`() throws {
    proc.add(10, start: 100, sockets: [3: 501])
    proc.add(20, start: 200)
    var finder = try proc.finder(at: start) { $0.folders = 0 }
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == ProcessIdentity(10, 100))
    proc.end(10)
    // It shares its process's descriptors.
    proc.hold(20, 3, 502)
    proc.add(10, start: 700, sockets: [3: 502])
    proc.write("10/status", Array("Name:\tprog\nTgid:\t20\nUid:\t0\t0\t0\t0\n".utf8))
    var owner: ProcessIdentity?
    for _ in 0..<3 where owner == nil {
      owner = finder.owner(ofInode: 502, uid: 1000)?.owner
      owner = owner ?? finder.owner(ofInode: 502, uid: 1000, at: start) { true }?.owner
    }
    #expect(owner == ProcessIdentity(20, 200))
  }

  @Test(
    arguments: [
      ("Name:\ta\nTgid:\t12\nNgid:\t0\n", 12), ("Tgid:\t1", 1), ("Name:\tTgid:\n", nil), ("", nil),
      ("Tgid:\tx\n", nil),
    ] as [(String, Int32?)])
  func `the process of a thread`(text: String, leader: Int32?) {
    #expect(ProcessStatus.leader(Array(text.utf8)[...]) == leader)
  }

  @Test func `another program has another name, and the same identity`() throws {
    proc.add(10, sockets: [3: 501])
    var finder = try proc.finder(at: start)
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == ProcessIdentity(10))
    proc.write("10/cmdline", Array("next\0".utf8))
    finder.take(.exec(10))
    #expect(finder.handleProcessEvents() == false)
    #expect(finder.description(of: ProcessIdentity(10))?.commandLine == "next")
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == ProcessIdentity(10))
    // Said once, so that whoever remembers its old name reads it again.
    #expect(finder.takeRenamed() == [ProcessIdentity(10)])
    #expect(finder.takeRenamed() == [])
  }

  @Test func `where a process runs is read when there is time, and kept`() throws {
    proc.add(10, sockets: [3: 501])
    proc.write("10/cgroup", Array("0::/system.slice/web.service\n".utf8))
    var finder = try proc.finder(at: start)
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == ProcessIdentity(10))
    #expect(finder.description(of: ProcessIdentity(10))?.place == ProcessPlace())
    #expect(finder.readPlaces().map(\.place.unit) == ["web.service"])
    #expect(finder.readPlaces().isEmpty)
    #expect(finder.description(of: ProcessIdentity(10))?.place.unit == "web.service")
    // What runs another program may have moved.
    proc.write("10/cgroup", Array("0::/system.slice/other.service\n".utf8))
    #expect(finder.description(of: ProcessIdentity(10))?.place.unit == "web.service")
    #expect(finder.readPlaces().isEmpty)
    proc.write("10/cmdline", Array("other\0".utf8))
    _ = finder.description(of: ProcessIdentity(10))
    #expect(finder.readPlaces().map(\.place.unit) == ["other.service"])
    finder.take(.exit(10))
    #expect(finder.readPlaces().isEmpty)
    #expect(finder.description(of: ProcessIdentity(10))?.place.unit == "other.service")
  }

  /// As its memory goes before its sockets, and its descriptors one by one.
  @Test
  func `without process events who runs something else has its name, and who is ending keeps its own`()
    throws
  {
    proc.add(10, name: Array("prog".utf8), executable: "/bin/prog", sockets: [3: 501])
    var finder = try proc.finder(at: start)
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == ProcessIdentity(10))
    #expect(finder.description(of: ProcessIdentity(10))?.commandLine == "prog -x")
    proc.write("10/cmdline", Array("next\0-y\0".utf8))
    proc.link("10/exe", "/bin/next")
    let next = finder.description(of: ProcessIdentity(10))
    #expect(
      next?.commandLine == "next -y" && next?.executable == "/bin/next" && next?.arguments == ["next", "-y"])
    proc.write("10/cmdline", [])
    #expect(finder.description(of: ProcessIdentity(10)) == next)
    proc.end(10)
    #expect(finder.description(of: ProcessIdentity(10)) == next)
  }

  @Test func `a program is read with its place`() throws {
    proc.add(10)
    proc.write("10/cgroup", Array("0::/system.slice/web.service\n".utf8))
    var finder = try proc.finder(at: start)
    finder.take(.exec(10))
    #expect(finder.handleProcessEvents() == false)
    #expect(finder.observed.living[10]?.description?.place.unit == "web.service")
  }

  @Test func `programs are read a few at a time, so that a flow need not wait`() throws {
    for pid in Int32(10)..<15 { proc.add(pid) }
    var finder = try proc.finder(at: start)
    for pid in Int32(10)..<15 { finder.take(.exec(pid)) }
    #expect(finder.handleProcessEvents(limit: 2) == true)
    #expect(finder.programs.unread.count == 3)
    #expect(finder.handleProcessEvents(limit: 3) == false)
    #expect(finder.takeRenamed() == (10..<15).reversed().map { ProcessIdentity($0) })
  }

  @Test func `one that dies before it is read has what its parent ran`() throws {
    proc.add(10, arguments: Array("parent\0".utf8), sockets: [3: 400])
    var finder = try proc.finder(at: start)
    #expect(finder.owner(ofInode: 400, uid: 1000)?.owner == ProcessIdentity(10))
    proc.add(11, start: 200, parent: 10, state: "Z", arguments: [], sockets: [3: 501])
    finder.take(.fork(parent: 10, child: 11))
    #expect(finder.owner(ofInode: 501, uid: 1000)?.owner == ProcessIdentity(11, 200))
    #expect(finder.description(of: ProcessIdentity(11, 200))?.commandLine == "parent")
    finder.take(.exit(11))
    proc.end(11)
    #expect(finder.description(of: ProcessIdentity(11, 200))?.commandLine == "parent")
    #expect(finder.owner(ofInode: 501, uid: 1000) == nil)
  }
}
