import Model
import Netfilter

/// Which processes there are by /proc, where nobody reports their starts and ends, or some of these events were lost.
struct ProcessListing {
  /// The last process that the kernel had numbered when /proc was looked at.
  private var lastPid: Int32?
  /// Set when /proc must be listed again.
  private var isOutdated = false

  private static let startedLimit: Int32 = 64

  /// Makes one that has listed nothing.
  init() {}

  /// Notes that events of processes were lost.
  mutating func outdate() { isOutdated = true }

  /// Lists /proc again if that is needed.
  mutating func update(_ observed: inout ObservedProcesses) { if isOutdated { list(into: &observed) } }

  /// Lists /proc, and takes in who is new and who is gone.
  mutating func list(into observed: inout ObservedProcesses) {
    let last = observed.files.lastPid()
    guard let pids = try? observed.files.pids() else { return }
    isOutdated = false
    lastPid = last
    let present = Set(pids)
    for pid in Array(observed.living.pids) where !present.contains(pid) { observed.end(pid) }
    var added: [(pid: Int32, stat: ProcessStat)] = []
    for pid in pids where observed.living[pid] == nil {
      guard let folder = try? observed.files.folder(of: pid), let stat = observed.files.stat(folder) else {
        continue
      }
      added.append((pid, stat))
    }
    added.sort { ($0.stat.startTime, $0.pid) < ($1.stat.startTime, $1.pid) }
    for (pid, stat) in added { observed.add(pid, stat) }
  }

  /// Adds the processes that started since the last look: the kernel numbers them one after the other and shows the last
  /// number. Of very many, or when the numbers have wrapped, those with the last numbers: whoever has just opened a socket
  /// is mostly among them. A search through all finds the others.
  mutating func addStarted(to observed: inout ObservedProcesses) {
    guard let last = observed.files.lastPid(), let before = lastPid, last != before else { return }
    lastPid = last
    let first = max(last < before ? 1 : before + 1, last - Self.startedLimit + 1)
    guard first <= last else { return }
    for pid in first...last {
      // Threads have numbers too; who was listed meanwhile is known, and who had the number before has ended.
      guard let folder = try? observed.files.folder(of: pid), observed.files.leader(folder) == pid,
        let stat = observed.files.stat(folder)
      else { continue }
      if observed.living[pid]?.identity?.startTime == stat.startTime { continue }
      observed.end(pid)
      observed.add(pid, stat)
    }
  }
}
