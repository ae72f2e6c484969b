/// What one owner moved since its meter was last asked.
public struct Reading: Sendable, Hashable {
  /// Who moved it.
  public var owner: Owner
  /// What is known of the owner when it is a process.
  public var process: ProcessDescription?
  /// The bytes, from the owner's view.
  public var usage: Usage
  /// How sure it is that they are the owner's.
  public var certainty: Certainty
  /// What of `usage` passed each interface that was asked for; the rest passed others, or it is not known which. What a pipe
  /// moves passes by two, in the direction of each.
  public var interfaces: [InterfaceUsage] = []

  /// Makes a reading.
  public init(
    owner: Owner, process: ProcessDescription? = nil, usage: Usage, certainty: Certainty = Certainty()
  ) {
    self.owner = owner
    self.process = process
    self.usage = usage
    self.certainty = certainty
  }
}

/// All readings of one meter for one interval, and what it has to say of their quality.
public struct Measurement: Sendable, Hashable {
  /// The time that the bytes took; nil for what had moved before the meter first looked, which has no rate.
  public var interval: Duration?
  /// One reading for each owner that moved something and that the meter's filters show.
  public var readings: [Reading]
  /// Processes that moved something earlier and have ended since the last measurement.
  public var exited: [ProcessIdentity]
  /// What processes run now that moved something earlier, under another name, and nothing since: for rows by process.
  /// An application has what a process moved while it ran what belongs there.
  public var renamed: [ProcessDescription] = []
  /// Where the bytes of this interval went, the hidden ones included.
  public var balance: Balance
  /// What passed each interface that was asked for, by an address of it; none for an address that no interface has.
  public var paths: [PathUsage] = []
  /// How well the measurement went, since start.
  public var health: Health
  /// What the administrator should know, each said once.
  public var warnings: [Warning]

  /// Makes a measurement.
  public init(
    interval: Duration?, readings: [Reading], exited: [ProcessIdentity] = [], balance: Balance = Balance(),
    health: Health = Health(), warnings: [Warning] = []
  ) {
    self.interval = interval
    self.readings = readings
    self.exited = exited
    self.balance = balance
    self.health = health
    self.warnings = warnings
  }
}

extension Measurement {
  /// This measurement and the one that the same meter made after it, as one.
  public func followed(by next: Measurement) -> Measurement {
    var both = next
    // What had moved before the meter looked has no rate.
    both.interval = interval.flatMap { first in next.interval.map { first + $0 } }
    both.readings = readings + next.readings
    both.exited = exited + next.exited
    both.renamed = renamed + next.renamed
    both.balance += balance
    both.paths = paths
    both.paths.add(next.paths)
    both.warnings = warnings + next.warnings
    return both
  }

  /// Splits what took longer than `recent`, because the meter did not answer for a while, into what comes late (without
  /// an interval, so that it adds to totals only) and the share of the last `recent`, at an even pace. A little longer is
  /// what clocks of two processes differ by.
  public func split(recent: Duration) -> [Measurement] {
    guard let interval, interval > recent * 1.1 else { return [self] }
    var late = Measurement(interval: nil, readings: readings)
    var last = self
    last.interval = recent
    let share = recent / interval
    for index in readings.indices {
      let recently = readings[index].usage.part(share)
      last.readings[index].usage = recently
      late.readings[index].usage = readings[index].usage - recently
      for place in readings[index].interfaces.indices {
        let recently = readings[index].interfaces[place].usage.part(share)
        last.readings[index].interfaces[place].usage = recently
        late.readings[index].interfaces[place].usage = readings[index].interfaces[place].usage - recently
      }
    }
    late.paths = paths
    for index in paths.indices {
      last.paths[index].usage = paths[index].usage.part(share)
      late.paths[index].usage = paths[index].usage - last.paths[index].usage
    }
    late.readings.removeAll(where: \.usage.isZero)
    last.readings.removeAll(where: \.usage.isZero)
    return [late, last]
  }
}

extension Usage {
  /// The given share of both directions, rounded down; a share is at most one.
  fileprivate func part(_ share: Double) -> Usage {
    Usage(
      received: min(received, UInt64(Double(received) * share)), sent: min(sent, UInt64(Double(sent) * share))
    )
  }
}

/// Something that says what its owners used since it was last asked.
public protocol Meter {
  /// Why a measurement can fail.
  associatedtype Failure: Error

  /// Returns what moved between the last call and `now`.
  mutating func readings(until now: Instant) throws(Failure) -> Measurement
}
