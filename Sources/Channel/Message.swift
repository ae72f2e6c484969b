public import Model

/// What the hub and a sensor send each other.
public enum Message: Sendable, Hashable {
  /// The first of a sensor: its version.
  case hello(version: String)
  /// What the sensor is to do, once.
  case settings(SensorSettings)
  /// Filters from now on.
  case filters([FilterSettings])
  /// Processes that moved something and lived when an earlier sensor was last asked.
  case processes([ProcessIdentity])
  /// Asks what moved until now. With `isLast` nothing will be asked any more. `paths` are addresses of this host: of their
  /// interfaces it is asked who moved how much there, `PathUsage.most` at most.
  case measure(number: UInt64, isLast: Bool, paths: [IPAddress] = [])
  /// The sensor measures from now on.
  case ready
  /// The sensor cannot start.
  case refused(SensorFault)
  /// A line for the administrator.
  case remark(String)
  /// What moved, in answer to a question.
  case measurement(number: UInt64, Measurement)
  /// Why a question has no answer.
  case failure(number: UInt64, SensorFault)
}

/// What a sensor gets at its start.
public struct SensorSettings: Sendable, Hashable {
  /// Flags that say what to read, as both programs have them.
  public var flags: [String]
  /// Whether processes come with their ancestors.
  public var wantsAncestors = false
  /// Whether what open connections had moved before is counted.
  public var countsLookback = true
  /// The process that is left out of the rows; its bytes stay in the balance.
  public var hidden: Int32?
  /// What is shown.
  public var filters: [FilterSettings]

  /// Makes settings.
  public init(flags: [String], filters: [FilterSettings]) {
    self.flags = flags
    self.filters = filters
  }
}

/// Which processes a monitor shows, by regular expressions.
public struct FilterSettings: Sendable, Hashable {
  /// One of these must be found in a command line, if there is any.
  public var include: [String]
  /// None of these may be found.
  public var exclude: [String]
  /// Whether to leave out what stays on this host.
  public var ignoresLocal: Bool
  /// Whether to leave out what carries tunnels.
  public var excludesTunnels: Bool

  /// Makes settings.
  public init(include: [String], exclude: [String], ignoresLocal: Bool, excludesTunnels: Bool) {
    self.include = include
    self.exclude = exclude
    self.ignoresLocal = ignoresLocal
    self.excludesTunnels = excludesTunnels
  }
}

/// Why a sensor cannot start, or not measure.
public struct SensorFault: Error, Sendable, Hashable, CustomStringConvertible {
  /// A sentence that ends with what to do.
  public var text: String
  /// What a program exits with for this reason (sysexits(3head)).
  public var status: Int32
  /// True for what does not pass by itself: privileges that are missing.
  public var isLasting: Bool

  /// Makes a fault.
  public init(text: String, status: Int32, isLasting: Bool) {
    self.text = text
    self.status = status
    self.isLasting = isLasting
  }

  /// The sentence.
  public var description: String { text }
}
