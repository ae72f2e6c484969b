import Glibc
import KernelLab
import Lab
import Model
import Testing

@testable import Netfilter
@testable import Ownership
@testable import SystemRuntime

/// The running kernel's namespaces. There are others than these tests' own on a machine at work.
@Suite(.needs(.namespaces))
struct NamespacesTableTests {
  private static let address = IPAddress(v4: 0x0a63_0001)

  /// Both tables, refreshed together.
  private final class Tables {
    var processes: ProcessTable
    var namespaces: NamespaceTable

    init() throws {
      processes = try ProcessTable()
      var limits = NamespaceTable.Limits()
      limits.namespaces = 1000
      guard let namespaces = NamespaceTable(processes, limits: limits) else {
        throw SocketsOpened.Problem.call("readlink", EACCES)
      }
      self.namespaces = namespaces
      try refresh()
    }

    func place(_ pid: pid_t) -> ProcessPlace? {
      guard let stat = processes.readStat(ofPid: pid) else { return nil }
      let identity = ProcessIdentity(pid: pid, startTime: stat.startTime)
      return processes.description(of: identity, ancestors: false)?.place
    }

    func refresh() throws {
      try processes.refresh()
      namespaces.refresh(processes)
    }
  }

  @Test func `a namespace has its own addresses and sockets`() throws {
    let child = try NamespacesChild()
    let listener = try child.inside {
      let socket = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp, bindTo: nil)
      #expect(socket.bindV4(0, 0x0a63_0001))
      socket.listen()
      return socket
    }
    let ping = try child.inside { try SocketsOpened(AF_INET, SOCK_DGRAM, .udp) }
    let outside = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    outside.listen()
    let tables = try Tables()
    for _ in 0..<3 {
      let addresses = try #require(tables.namespaces.addresses()[child.inode])
      #expect(addresses.contains(Self.address))
      #expect(try LocalAddressReader().read().addresses.contains(Self.address) == false)
      let sockets = tables.namespaces.sockets(of: child.inode, [.tcp, .udp])
      let found = try #require(sockets.first { $0.inode == listener.inode })
      #expect(found.local == Endpoint(address: Self.address, port: listener.port))
      #expect(found.state == .listening)
      #expect(sockets.contains { $0.inode == ping.inode })
      #expect(!sockets.contains { $0.inode == outside.inode })
      try tables.refresh()
    }
    // Opened again where the last ones were closed.
    tables.namespaces.release()
    #expect(tables.namespaces.sockets(of: child.inode, [.tcp]).contains { $0.inode == listener.inode })
    // Entering them has left no thread of ours elsewhere.
    var own = SocketTable()
    var sockets: [SocketEntry] = []
    try own.read([.tcp], into: &sockets)
    #expect(sockets.contains { $0.inode == outside.inode })
    #expect(!sockets.contains { $0.inode == listener.inode })
  }

  @Test func `a namespace whose process ends is survived, counted where it shows, and closed`() async throws {
    let child = try NamespacesChild()
    // Else a namespace of another test may get its number.
    let kept = try OpenFile("/proc/\(child.pid)/ns/net")
    let tables = try Tables()
    let before = tables.namespaces.vanished
    child.end()
    // Never opened: its process is gone when we want to.
    #expect(tables.namespaces.sockets(of: child.inode, [.tcp]).isEmpty)
    #expect(tables.namespaces.vanished > before)
    #expect(tables.namespaces.unread == 0)
    try tables.refresh()
    #expect(tables.namespaces.addresses()[child.inode] == nil)

    let other = try NamespacesChild()
    let otherKept = try OpenFile("/proc/\(other.pid)/ns/net")
    try tables.refresh()
    #expect(tables.namespaces.addresses()[other.inode] != nil)
    other.end()
    // While it is open it lives on.
    #expect(tables.namespaces.addresses()[other.inode]?.contains(Self.address) == true)
    // Another monitor of this machine may look into it just now.
    _ = try await eventually("the end of the namespace") {
      try tables.refresh()
      return tables.namespaces.addresses()[other.inode] == nil ? true : nil
    }
    #expect(kept.descriptor != otherKept.descriptor)
  }

  @Test func `a namespace answers as long as one of its processes is there`() throws {
    let child = try NamespacesChild()
    let (second, socket) = try child.inside {
      (try OwnersChild(["sleep", "1000"]), try SocketsOpened(AF_INET, SOCK_DGRAM, .udp))
    }
    let tables = try Tables()
    let before = tables.namespaces.vanished
    child.end()
    #expect(tables.namespaces.sockets(of: child.inode, [.udp]).contains { $0.inode == socket.inode })
    #expect(tables.namespaces.vanished == before && tables.namespaces.unread == 0)
    second.end()
  }

  @Test func `through its processes a namespace tells the same`() throws {
    let child = try NamespacesChild()
    let socket = try child.inside { try SocketsOpened(AF_INET, SOCK_DGRAM, .udp) }
    var table = SocketTable(root: "/proc/\(child.pid)", usesNetlink: false)
    var sockets: [SocketEntry] = []
    try table.read([.udp], into: &sockets)
    #expect(sockets.contains { $0.inode == socket.inode })
    #expect(try AddressFiles.read("/proc/\(child.pid)/net").addresses.contains(Self.address))
  }

  @Test func `a pid that is another namespace's by now is not believed`() throws {
    let child = try NamespacesChild()
    #expect(throws: NamespaceReader.Failure.vanished) {
      _ = try NamespaceReader(child.inode + 1, .process("/proc/\(child.pid)"), socketLimit: 10)
    }
    let reader = try NamespaceReader(child.inode, .process("/proc/\(child.pid)"), socketLimit: 10)
    reader.use(.process("/proc/self"))
    var sockets: [SocketEntry] = []
    // Ping sockets are reported by /proc alone. One of ours, where the system allows it, is not the namespace's.
    let ping = try? SocketsOpened(AF_INET, SOCK_DGRAM, .icmp)
    #expect(throws: NamespaceReader.Failure.vanished) { try reader.read([.icmp], into: &sockets) }
    #expect(sockets.isEmpty, "beside \(ping?.inode ?? 0)")
    try reader.read([.tcp], into: &sockets)
  }

  /// As HAProxy's `namespace`: a process elsewhere holds the socket, and only a file keeps the namespace.
  @Test func `a namespace without a process is looked into where it is mounted`() async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.ip("addr add 10.99.0.7/32 dev lo")
    let file = try OpenFile("/run/netns/\(namespace.name)")
    let inode = try file.status().inode
    let listener = try NamespacesChild.inside(file) {
      let socket = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp, bindTo: nil)
      #expect(socket.bindV4(0, 0x0a63_0007))
      socket.listen()
      return socket
    }
    let own = try NamespaceLink.read("thread-self/ns/net", in: OpenFile("/proc", isFolder: true))
    #expect(NamespaceEntrance.mounted(own: own)[inode] == .file("/run/netns/\(namespace.name)"))
    #expect(NamespaceEntrance.mounted(own: inode)[inode] == nil)
    let tables = try Tables()
    for _ in 0..<2 {
      #expect(tables.namespaces.addresses()[inode]?.contains(IPAddress(v4: 0x0a63_0007)) == true)
      let sockets = tables.namespaces.sockets(of: inode, [.tcp, .icmp])
      #expect(sockets.contains { $0.inode == listener.inode })
      tables.namespaces.release()
    }
  }

  @Test func `only network namespaces are taken for such`() throws {
    let folder = try ScratchFolder()
    _ = try folder.write("", to: "file")
    for (name, target) in [("uts", "/proc/self/ns/uts"), ("net", "/proc/self/ns/net")] {
      #expect(unsafe symlink(target, "\(folder.path)/\(name)") == 0)
    }
    let found = NamespaceEntrance.mounted(in: [folder.path, "\(folder.path)/none"], own: 0)
    #expect(Array(found.values) == [.file("\(folder.path)/net")])
  }

  @Test func `a description tells the namespace of its process`() throws {
    let child = try NamespacesChild()
    let tables = try Tables()
    let place = try #require(tables.place(child.pid))
    #expect(place.networkNamespace == child.inode)
    #expect(tables.place(getpid())?.networkNamespace == nil)
  }
}
