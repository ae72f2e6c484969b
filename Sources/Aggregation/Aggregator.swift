import Model

/// Groups what processes and pipes moved into applications and keeps their totals.
///
/// No byte is lost: the totals of all rows are the sum of all readings. An application keeps what its
/// processes moved after they end; a process that runs another program, or that new rules give to another
/// application, takes only its later bytes along.
public struct Aggregator: Sendable {
  /// How much is remembered at most; what does not fit is counted in the health as evicted.
  public struct Limits: Sendable {
    /// Rows of applications. The ones without a living process that were active the longest ago are folded
    /// into `(evicted)`; if all have one, new applications are counted there.
    public var applications = 10_000
    /// Living processes. The ones that moved something the longest ago are forgotten, until they do again.
    public var processes = 131_072
    /// Ended processes whose last bytes may still come.
    public var exitedProcesses = 8192

    /// Makes the limits that fit a large host.
    public init() {}
  }

  var rules: ApplicationRules
  var members: MemberTable
  var applications: ApplicationTable
  private var remainders: [Owner: (total: Usage, moved: Usage)] = [:]
  private var balance = Balance()
  var abandonedSearches: UInt64 = 0
  var withoutRoom: UInt64 = 0
  var tick = 0

  /// Makes an aggregator that has seen nothing.
  public init(rules: ApplicationRules, limits: Limits = Limits()) {
    self.rules = rules
    members = MemberTable(limit: limits.processes, exitedLimit: limits.exitedProcesses)
    applications = ApplicationTable(limit: limits.applications)
  }

  /// Takes what the meters measured in one tick that ended at `time`, and reports all rows.
  ///
  /// A measurement without an interval (the lookback) adds to the totals only. The health is the sum of the
  /// measurements' and of what had no room here.
  public mutating func absorb(_ measurements: [Measurement], at time: Timestamp) -> UsageReport {
    tick += 1
    applications.beginTick()
    for owner in remainders.keys { remainders[owner]?.moved = .zero }
    var interval: Duration?
    var health = Health()
    var paths: [PathUsage] = []
    for measurement in measurements {
      for index in measurement.readings.indices {
        add(measurement.readings[index], isTimed: measurement.interval != nil)
      }
      if let measured = measurement.interval {
        interval = max(interval ?? measured, measured)
        paths.add(measurement.paths)
      }
      balance += measurement.balance
      health += measurement.health
    }
    // After all readings: one meter may still count the last bytes of what another saw end.
    for measurement in measurements {
      for identity in measurement.exited {
        guard let member = members.end(identity, tick: tick) else { continue }
        applications.leave(identity.pid, from: member.place)
      }
    }
    health.evicted += applications.folded + withoutRoom
    health.abandonedSearches += abandonedSearches
    var report = UsageReport(
      time: time, interval: interval, rows: rows(), balance: balance, health: health)
    report.paths = paths
    return report
  }

  /// Takes new rules into use. Totals stay where they are; processes that live move to the application that the
  /// new rules give them, without the bytes that they moved before.
  public mutating func reload(rules: ApplicationRules) {
    self.rules = rules
    for (identity, place) in members.all {
      guard members.entries[place].isLiving else {
        // Decided when its last bytes come.
        members.entries[place].application = nil
        continue
      }
      // What could not be read stays where it is.
      guard let process = members.entries[place].process else { continue }
      let claim = rules.claim(process)
      abandonedSearches += UInt64(claim.abandonedSearches)
      guard claim.application != members.entries[place].application else { continue }
      applications.leave(identity.pid, from: members.entries[place].place)
      members.entries[place].application = claim.application
      members.entries[place].place = applications.handle(for: claim.application)
      applications.join(identity.pid, to: members.entries[place].place)
    }
  }

  private mutating func add(_ reading: borrowing Reading, isTimed: Bool) {
    switch reading.owner {
    case .process(let identity): add(reading, of: identity, isTimed: isTimed)
    case .pipe(let name):
      let claim = rules.claim(pipe: name)
      abandonedSearches += UInt64(claim.abandonedSearches)
      applications.add(reading, to: applications.handle(for: claim.application), isTimed: isTimed)
    case .forwarded, .kernel, .unattributed, .untracked:
      remainders[reading.owner, default: (.zero, .zero)].total += reading.usage
      if isTimed { remainders[reading.owner]?.moved += reading.usage }
    }
  }

  private static let remainderOrder =
    [.forwarded, .kernel] + Owner.Reason.allCases.map(Owner.unattributed) + [.untracked]

  private func rows() -> [UsageRow] {
    var rows: [UsageRow] = []
    rows.reserveCapacity(applications.count + remainders.count + 1)
    applications.appendRows(to: &rows)
    for owner in Self.remainderOrder {
      guard let usage = remainders[owner], let name = owner.remainderName else { continue }
      rows.append(UsageRow(name: name, subject: .remainder, total: usage.total, moved: usage.moved))
    }
    if !applications.evicted.isZero {
      rows.append(
        UsageRow(
          name: UsageRow.evictedName, subject: .remainder, total: applications.evicted,
          moved: applications.evictedMoved))
    }
    return rows
  }
}
