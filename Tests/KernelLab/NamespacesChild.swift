import Glibc
import Model
import Netfilter
import SystemRuntime

/// A process in a network namespace of its own with one address; both gone with their owner.
package final class NamespacesChild {
  package let inode: UInt64
  package var pid: pid_t { child.pid }
  private let child: OwnersChild

  /// Starts it and waits until it is there and has its address. Throws where that is not allowed.
  package init(address: UInt32 = 0x0a63_0001) throws {
    let script = "ip link set lo up && ip addr add \(IPAddress(v4: address))/32 dev lo && exec sleep 1000"
    child = try OwnersChild(["unshare", "--net", "sh", "-c", script])
    var inode: UInt64?
    // Two minutes, which only a failing test waits for.
    for _ in 0..<120_000 where inode == nil {
      let root = try OpenFile("/proc", isFolder: true)
      let isReady = try? AddressFiles.read("/proc/\(child.pid)/net").addresses.contains(
        IPAddress(v4: address))
      if isReady == true { inode = NamespaceLink.inode(of: "\(child.pid)", in: root) }
      usleep(1000)
    }
    self.inode = inode ?? 0
    guard inode != nil else { throw SocketsOpened.Problem.call("unshare", ETIMEDOUT) }
  }

  /// Ends it; its namespace goes with it.
  package func end() { child.end() }

  /// Runs `body` inside the namespace, on this thread.
  package func inside<Value>(_ body: () throws -> Value) throws -> Value {
    try Self.inside(OpenFile("/proc/\(pid)/ns/net"), body)
  }

  /// Runs `body` inside an open namespace, on this thread.
  package static func inside<Value>(_ namespace: borrowing OpenFile, _ body: () throws -> Value) throws
    -> Value
  {
    let own = try OpenFile("/proc/thread-self/ns/net")
    try enter(namespace)
    let result = Result(catching: body)
    // Failing to come back would leave the next test on this thread elsewhere.
    do { try enter(own) } catch { preconditionFailure("\(error)") }
    return try result.get()
  }

  /// Makes the kernel track the connections of the namespace that the calling thread is in.
  package static func trackConnections(counting: Bool) throws {
    let rules = "table inet t { chain c { type filter hook output priority 0; ct state new counter; }; }"
    try OwnersChild(["nft", rules]).wait()
    try setAccounting(counting)
  }

  /// Switches the byte counters of new connections in the namespace that the calling thread is in.
  package static func setAccounting(_ on: Bool) throws {
    try OwnersChild(["sysctl", "-qw", "net.netfilter.nf_conntrack_acct=\(on ? 1 : 0)"]).wait()
  }

  private static func enter(_ namespace: borrowing OpenFile) throws {
    typealias Function = @convention(c) (CInt, CInt) -> CInt
    // setns(2), which the C library hides from Swift, takes two ints and returns one.
    guard let symbol = unsafe dlsym(nil, "setns"),
      unsafe unsafeBitCast(symbol, to: Function.self)(namespace.descriptor, 0x4000_0000) == 0
    else { throw SocketsOpened.Problem.call("setns", errno) }
  }
}
