import Channel
import Model
import Program
import SystemRuntime

/// What is known of a sensor, and what to do with what it says.
struct SensorState {
  /// How far the sensor is.
  enum Phase: Equatable {
    /// None runs.
    case ended
    /// One was started, and has said nothing yet.
    case starting
    /// It was asked to measure, and has not said that it measures.
    case preparing
    /// It measures when it is asked.
    case up
  }

  /// What a message asks for.
  enum Reaction: Equatable {
    /// Nothing.
    case none
    /// These are sent to it.
    case send([Message])
    /// A line is written.
    case write(String)
    /// It has measured, for the first time since its start or after a question.
    case measured(Measurement)
    /// It could not measure.
    case failed(SensorFault)
  }

  private(set) var phase = Phase.ended
  var settings: SensorSettings
  private let version: String
  /// The question that has no answer yet.
  private(set) var asked: UInt64?
  /// Since when it starts, or owes an answer.
  private var since: Instant?
  private var questions: UInt64 = 0
  /// Whether one has measured, so that what it counted is not counted again.
  private(set) var hasMeasured = false
  /// Processes that moved something and live.
  private var living: Set<ProcessIdentity> = []
  /// What sensors that have ended had counted.
  private var earlier = Health()
  private var latest = Health()

  /// What takes longer will not come.
  private static let patience = Duration.seconds(60)
  /// Warnings that are taken back, and hold now.
  private var firing: [String: Warning] = [:]
  /// Whether the one that runs has measured.
  private var isNew = true
  /// What is said of a sensor, and not of the kernel: a new one does not have it.
  private static let ending = ["no_events", "unread_interfaces", "tracking_ended"]
  /// More than the largest host has.
  private static let mostLiving = 131_072

  init(settings: SensorSettings, version: String) {
    self.settings = settings
    self.version = version
  }

  /// Takes note that one was started.
  mutating func start(at now: Instant) {
    phase = .starting
    isNew = true
    asked = nil
    since = now
  }

  /// Whether what it owes at `now` will not come any more.
  func isStuck(at now: Instant) -> Bool { since.map { now - $0 > Self.patience } ?? false }

  /// Takes note that it has ended.
  mutating func end() {
    phase = .ended
    (asked, since) = (nil, nil)
    earlier += latest
    for gauge in Health.gauges { earlier[keyPath: gauge] = 0 }
    latest = Health()
  }

  /// The question to ask it at `now`, also for the interfaces that have the addresses `paths`; nil while one has no answer.
  mutating func ask(isLast: Bool, paths: [IPAddress] = [], at now: Instant) -> Message? {
    guard phase == .up, asked == nil else { return nil }
    questions += 1
    (asked, since) = (questions, now)
    return .measure(number: questions, isLast: isLast, paths: Array(paths.prefix(PathUsage.most)))
  }

  /// Takes what it said. Errors: `sensorLost` for another version, and for what no sensor says at this time.
  mutating func receive(_ message: Message) throws(KernelError) -> Reaction {
    switch (message, phase) {
    case (.hello(let other), .starting):
      guard other == version else {
        throw .sensorLost(
          "the sensor is of version \(other), this program of \(version): install both from one release.")
      }
      settings.countsLookback = settings.countsLookback && !hasMeasured
      phase = .preparing
      return .send([.settings(settings), .processes(Array(living))])
    case (.ready, .preparing):
      phase = .up
      since = nil
      return .none
    case (.refused(let fault), .preparing): return .failed(fault)
    case (.remark(let text), _): return .write(text)
    case (.measurement(let number, let measurement), .up) where number == asked:
      return .measured(take(measurement))
    case (.failure(let number, let fault), .up) where number == asked:
      (asked, since) = (nil, nil)
      return .failed(fault)
    default: throw .sensorLost("the sensor said what was not expected.")
    }
  }

  /// Takes back the warnings that hold: none runs any more, because nothing is to be measured.
  mutating func takeBack() -> [Warning] {
    defer { firing = [:] }
    return firing.values.sorted { $0.code < $1.code }.map {
      Warning(
        code: $0.code, text: "no longer looked at, since no monitor is configured: \($0.text)",
        isResolved: true)
    }
  }

  private mutating func take(_ measurement: Measurement) -> Measurement {
    (asked, since) = (nil, nil)
    hasMeasured = true
    for case .process(let identity) in measurement.readings.lazy.map(\.owner) {
      if living.count >= Self.mostLiving {
        earlier.dropped += UInt64(living.count)
        living.removeAll()
      }
      living.insert(identity)
    }
    living.subtract(measurement.exited)
    latest = measurement.health
    var measurement = measurement
    measurement.health += earlier
    measurement.warnings = unsaid(of: measurement.warnings)
    isNew = false
    return measurement
  }

  /// What was not said before by an earlier sensor, and what of that no longer holds.
  private mutating func unsaid(of warnings: [Warning]) -> [Warning] {
    var unsaid: [Warning] = []
    for warning in warnings {
      if warning.isResolved {
        firing[warning.code] = nil
      } else if firing.updateValue(warning, forKey: warning.code)?.text == warning.text, isNew {
        continue
      }
      unsaid.append(warning)
    }
    guard isNew else { return unsaid }
    for code in Self.ending {
      guard let old = firing[code], !warnings.contains(where: { $0.code == code }) else { continue }
      firing[code] = nil
      unsaid.append(
        Warning(
          code: code, text: "no longer so, since a sensor was started again: \(old.text)", isResolved: true))
    }
    return unsaid
  }
}
