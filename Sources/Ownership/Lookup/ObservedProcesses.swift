import Model
import Netfilter
import SystemPackage
import SystemRuntime

/// What is known of the processes that live and of the sockets that they hold, and the folders of /proc that show it.
///
/// What is remembered is looked at before it is believed: see `ObservedProcesses+Looks.swift`.
struct ObservedProcesses: ~Copyable {
  var files: ProcessFiles
  var living: LivingProcesses
  /// What those that have ended ran, if they owned a socket.
  var ended: EndedProcesses
  /// True while the kernel reports ends: then what cannot be found in /proc is not yet forgotten.
  var endsAreReported = false
  /// Processes that ended between the sight of their descriptor and their name.
  var vanished: UInt64 = 0
  private(set) var sockets: SocketHolders
  private let inheritedLimit: Int

  /// Knows nobody yet. `root` is where procfs is mounted.
  init(root: String, _ limits: OwnerFinder.Limits) throws(KernelError) {
    files = try ProcessFiles(root: root, limit: limits.entries)
    living = LivingProcesses(folderLimit: limits.folders)
    sockets = SocketHolders(limit: limits.sockets)
    ended = EndedProcesses(limit: limits.ended)
    inheritedLimit = limits.inherited
  }

  /// Adds a process that was found in /proc.
  mutating func add(_ pid: Int32, _ stat: ProcessStat) {
    var process = LivingProcess(pid: pid, parent: stat.parent)
    process.identity = ProcessIdentity(pid: pid, startTime: stat.startTime)
    living.add(process)
  }

  /// Takes that a process has made another, which has what its parent had open.
  mutating func fork(_ parent: Int32, _ child: Int32) {
    end(child)
    var process = LivingProcess(pid: child, parent: parent)
    if let maker = living[parent] {
      process.user = maker.user
      if maker.descriptors.count <= inheritedLimit { process.descriptors = maker.descriptors }
    }
    living.add(process)
    for (number, inode) in process.descriptors {
      sockets.add(SocketHolders.Holder(pid: child, number: number), of: inode)
    }
  }

  /// Takes that a process runs another program.
  mutating func execute(_ pid: Int32) {
    if living[pid] == nil { living.add(LivingProcess(pid: pid)) } else { living.renew(pid) }
    living.update(pid) {
      $0.description = nil
      $0.descriptorCount = nil
      $0.isUnread = true
    }
  }

  /// Forgets a process that has ended, but not what it ran if it owned a socket.
  mutating func end(_ pid: Int32) {
    guard let process = living.remove(pid) else { return }
    for (number, inode) in process.descriptors {
      sockets.remove(SocketHolders.Holder(pid: pid, number: number), of: inode)
    }
    if process.hasOwned, let description = process.description { ended.add(description) }
  }

  /// Notes what is behind a descriptor: a socket, 0 for something else, nil for nothing.
  mutating func note(_ pid: Int32, _ number: Int32, _ inode: UInt64?) {
    let before = living[pid]?.descriptors[number]
    guard before != inode else { return }
    let holder = SocketHolders.Holder(pid: pid, number: number)
    if let before { sockets.remove(holder, of: before) }
    if let inode { sockets.add(holder, of: inode) }
    living.update(pid) { $0.descriptors[number] = inode }
  }

  /// Notes all descriptors of a process.
  mutating func replaceDescriptors(of pid: Int32, by current: [Int32: UInt64]) {
    for (number, before) in living[pid]?.descriptors ?? [:] where current[number] != before {
      sockets.remove(SocketHolders.Holder(pid: pid, number: number), of: before)
    }
    for (number, inode) in current where inode != 0 {
      sockets.add(SocketHolders.Holder(pid: pid, number: number), of: inode)
    }
    living.update(pid) { $0.descriptors = current }
  }

  /// True when a process or descriptor is no more; what is denied is noted.
  mutating func isGone(_ error: Errno, _ pid: Int32) -> Bool {
    if error == .permissionDenied || error == .notPermitted { living.note(pid, isDenied: true) }
    return error == .noSuchFileOrDirectory || error == .noSuchProcess
  }
}
