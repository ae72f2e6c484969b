import Glibc
import KernelLab
import Lab
import Model
import Testing

@testable import Netfilter
@testable import SystemRuntime

/// Where /proc/net is all there is: on a fake tree.
@Suite struct SocketsFallbackTests {
  private let proc = ProcessesFakeProc()
  private let header =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

  private func line(_ inode: Int) -> String {
    "   0: 0100007F:46A0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 \(inode) 1 0\n"
  }

  private func write(_ name: String, _ text: String) {
    proc.folder("net")
    proc.write("net/\(name)", Array(text.utf8))
  }

  @Test func `malformed lines are counted, the others read`() throws {
    write("tcp", header + line(1) + "garbage\n\n" + line(2) + "   0: 0100007F")
    var table = SocketTable(root: proc.path, usesNetlink: false)
    var sockets: [SocketEntry] = []
    try table.read([.tcp], into: &sockets)
    #expect(sockets.map(\.inode) == [1, 2])
    #expect(table.malformed == 3)
    #expect(table.source(of: .tcp) == .procfs)
    #expect(table.source(of: .udp) == nil)
    #expect(table.netlinkError == nil)
  }

  @Test func `a line of any length ends somewhere`() throws {
    let long = String(repeating: "x", count: 100_000) + "\n"
    write("tcp", header + line(1) + long + line(2) + long)
    var table = SocketTable(root: proc.path, usesNetlink: false)
    var sockets: [SocketEntry] = []
    try table.read([.tcp], into: &sockets)
    #expect(sockets.map(\.inode) == [1, 2])
    #expect(table.malformed == 2)
  }

  @Test func `lines across the buffer's end are whole`() throws {
    write("tcp", header + (1...2_000).map(line).joined())
    var table = SocketTable(root: proc.path, usesNetlink: false)
    var sockets: [SocketEntry] = []
    try table.read([.tcp], into: &sockets)
    #expect(sockets.map(\.inode) == Array(1...2_000))
    #expect(table.malformed == 0)
  }

  @Test func `the last line needs no end`() throws {
    write("tcp", header + line(1) + String(line(2).dropLast()))
    var table = SocketTable(root: proc.path, usesNetlink: false)
    var sockets: [SocketEntry] = []
    try table.read([.tcp], into: &sockets)
    #expect(sockets.map(\.inode) == [1, 2])
  }

  @Test func `sockets beyond the limit are counted`() throws {
    write("tcp", header + (1...10).map(line).joined())
    var table = SocketTable(root: proc.path, usesNetlink: false, limit: 3)
    var sockets: [SocketEntry] = []
    for _ in 0..<2 { try table.read([.tcp], into: &sockets) }
    #expect(sockets.map(\.inode) == [1, 2, 3])
    #expect(table.dropped == 14)
  }

  @Test func `a protocol that this kernel lacks is said to be unavailable`() throws {
    write("tcp", header + line(1))
    var table = SocketTable(root: proc.path, usesNetlink: false)
    var sockets: [SocketEntry] = []
    try table.read([.tcp, .udpLite, .icmp], into: &sockets)
    #expect(table.source(of: .tcp) == .procfs)
    #expect(table.source(of: .udpLite) == .unavailable)
    #expect(table.source(of: .icmp) == .unavailable)
    #expect(sockets.count == 1)
  }

  @Test(arguments: [TransportProtocol.tcp, .icmp])
  func `no table at all is an error, not an empty answer`(transport: TransportProtocol) {
    var table = SocketTable(root: proc.path, usesNetlink: false)
    var sockets: [SocketEntry] = []
    var error: KernelError?
    do throws(KernelError) { try table.read([transport], into: &sockets) } catch let caught { error = caught }
    #expect(
      error?.description.hasPrefix("reading the sockets listed in \(proc.path)/net: No such file") == true)
  }

  @Test func `a table that may not be read is an error that says so`() throws {
    write("tcp", header)
    let path = "\(proc.path)/net/tcp"
    unsafe chmod(path, 0)
    var error: KernelError?
    ProcessesPrivileges.asNobody {
      var table = SocketTable(root: proc.path, usesNetlink: false)
      var sockets: [SocketEntry] = []
      do throws(KernelError) { try table.read([.tcp], into: &sockets) } catch let caught { error = caught }
    }
    #expect(error == .notPermitted("reading \(path)"))
  }

  @Test func `protocols without a table are none of its business`() throws {
    var table = SocketTable(root: proc.path, usesNetlink: false)
    var sockets: [SocketEntry] = []
    try table.read([.gre], into: &sockets)
    #expect(sockets.isEmpty)
    #expect(table.source(of: .gre) == nil)
  }

  @Test(arguments: [TransportProtocol.sctp, .dccp, .udpLite])
  func `a protocol that many kernels lack is no error when it is alone`(transport: TransportProtocol) throws {
    var table = SocketTable(root: proc.path)
    var sockets: [SocketEntry] = []
    if transport == .udpLite { table = SocketTable(root: proc.path, usesNetlink: false) }
    try table.read([transport], into: &sockets)
    #expect(sockets.isEmpty)
    #expect(table.source(of: transport) == .unavailable && table.netlinkError == nil)
  }

  @Test(arguments: [TransportProtocol.sctp, .dccp])
  func `what is loaded but has no diagnostics has unavailable sockets, without a word`(
    transport: TransportProtocol
  ) throws {
    write("protocols", Self.loaded)
    // The kernel of the test may have them after all.
    if Self.hasAny { try Requirement.skip(for: "no_sctp") }
    var table = SocketTable(root: proc.path)
    var sockets: [SocketEntry] = []
    for _ in 0..<2 {
      try table.read([transport], into: &sockets)
      #expect(sockets.isEmpty)
      #expect(table.source(of: transport) == .unavailable && table.netlinkError == nil)
    }
  }

  @Test func `what is not loaded is not asked for`() throws {
    // Not even where its sockets would be reported: asked, the kernel would load it.
    write("protocols", "DCCPv6 \nMPTCP  1 2\n TCP\n")
    for transport in [TransportProtocol.sctp, .dccp] {
      let table = SocketTable(root: proc.path)
      let isLoaded = table.isLoaded(transport)
      #expect(!isLoaded)
    }
    proc.write("net/protocols", Array(Self.loaded.utf8))
    for transport in [TransportProtocol.sctp, .dccp] {
      let table = SocketTable(root: proc.path)
      let isLoaded = table.isLoaded(transport)
      #expect(isLoaded)
    }
  }

  private static let loaded = """
    protocol  size sockets  memory press maxhdr  slab module     cl co di ac
    SCTP      1464      0      -1   NI       0   yes  sctp        y  y  y  y
    DCCP      1456      0      -1   NI       0   yes  dccp_ipv4   y  y  y  y
    TCP       2336     11    3391   no     320   yes  kernel      y  y  y  y
    """

  private static var hasAny: Bool {
    let table = SocketTable()
    return [TransportProtocol.sctp, .dccp].contains { table.isLoaded($0) }
  }
}
