import Model
import Netfilter
import Ownership
import SystemRuntime
import SystemPackage

extension HostFacts {
  /// Looks at this host with the privileges of this process; changes nothing, but for an entry of the connection table
  /// that a datagram over the loopback leaves for half a minute, and this process's RLIMIT_RTPRIO, which it raises
  /// where that is permitted, as each program that measures does.
  ///
  /// `namespaces` is whether other network namespaces are to be looked into; nil for where that is allowed. `witness`
  /// was asked before privileges were given up.
  /// Errors: where /proc cannot be listed.
  public static func read(
    _ source: FlowSource, namespaces: Bool?, witness: WitnessProbe? = nil
  ) throws(KernelError) -> HostFacts {
    let probes = [("IPv4", IPAddress(v4: 0x7f00_0001)), ("IPv6", IPAddress(high: 0, low: 1))]
    var snapshot = FlowSnapshot()
    var found: [Probe] = []
    let table: Result<Table, KernelError>
    var hasEndEvents: Bool?
    do throws(KernelError) {
      let source = try source.open()
      let v4 = LoopbackDatagram(to: probes[0].1)
      let v6 = LoopbackDatagram(to: probes[1].1)
      try source.read(into: &snapshot, at: .now)
      let flows = snapshot.flows
      if let v4 { found.append(Probe(family: probes[0].0, isTracked: v4.isTracked(in: flows))) }
      if let v6 { found.append(Probe(family: probes[1].0, isTracked: v6.isTracked(in: flows))) }
      table = .success(Table(snapshot))
      hasEndEvents = source.condition.hasEndEvents
    } catch {
      table = .failure(error)
    }
    var facts = HostFacts(table: table, probes: found)
    facts.hasEndEvents = hasEndEvents
    facts.witness = witness
    facts.mayComeFirst = RealTimeThread.allow() || RealTimeThread.hasCapability
    facts.count = ConntrackSettings.count()
    facts.kept = try? NetlinkFlowTable().countOfKept()
    facts.limit = ConntrackSettings.limit()
    facts.isAccounting = ConntrackSettings.isAccounting()
    facts.events = ConntrackSettings.events()
    facts.losses = ConntrackLosses.read()
    facts.readBridges()
    facts.withoutDiagnostics = SocketDiagnostics.missing()
    facts.missing = Capabilities.naming.union(.tables).subtracting(.effective)
    do throws(KernelError) { _ = try ProcConnector() } catch { facts.eventError = error }
    try facts.readProcesses(namespaces)
    return facts
  }

  private mutating func readBridges() {
    // Not from /sys, which shows the network namespace that it was mounted in.
    bridges = (try? InterfaceTable().read())?.filter { $0.kind == "bridge" }.map(\.name)
    guard SmallFile.text("/proc/sys/net/ipv4/ip_forward") != nil else { return }
    seesBridges = ["iptables", "ip6tables"].allSatisfy {
      SmallFile.text("/proc/sys/net/bridge/bridge-nf-call-\($0)")?.first == "1"
    }
  }

  private mutating func readProcesses(_ wanted: Bool?) throws(KernelError) {
    var processes = try ProcessTable()
    hidden = processes.accessWarning()
    try processes.refresh()
    // No socket has this inode: all are looked at.
    _ = processes.holders(of: [.max])
    (denied, self.processes) = (processes.deniedProcesses(), processes.processes.count)
    others.wish =
      wanted == false ? .leftOut : wanted == nil && !Capabilities.mayEnterNamespaces ? .denied : .read
    guard others.wish != .leftOut, var namespaces = NamespaceTable(processes) else { return }
    namespaces.refresh(processes)
    _ = namespaces.addresses()
    (others.known, others.unread) = (namespaces.answering + namespaces.unread, namespaces.unread)
  }
}

extension HostFacts.Table {
  fileprivate init(_ snapshot: FlowSnapshot) {
    let flows = snapshot.flows.prefix(snapshot.livingCount)
    self.init(
      entries: flows.count, uncounted: flows.count { !$0.isCounted },
      offloaded: flows.count { $0.isOffloaded })
  }
}
