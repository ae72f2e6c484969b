import Aggregation
import Channel
import INI
import Model
import SystemRuntime

/// Sends the readings of many processes over a channel, groups them by many rules, and compares the applications with limits.
final class AggregationInstrument: Instrument {
  private var aggregator: Aggregator
  private var thresholds: Thresholds
  private var readings: [Reading]
  private var now = Instant.now
  private var sensor: Channel
  private var hub: Channel

  private static let owners = 10_000
  private static let rules = 100

  init() throws {
    let rules = (0..<Self.rules).map { "[app\($0)]\nservice=^/opt/service\($0)/|--role=service\($0)\\b" }
    let applications = try INIFile(
      name: "rules", bytes: Array("\(rules.joined(separator: "\n"))\n".utf8))
    aggregator = Aggregator(rules: try ApplicationRules(applications, autoGroup: true, inherit: false))
    let limits = (0..<10).map { "[limit\($0)]\nprocess_filter=app\($0)\nin_threshold=50\ninterval=10\n" }
    let notifications = try INIFile(name: "limits", bytes: Array(limits.joined().utf8))
    thresholds = Thresholds(rules: try notifications.sections.map { try ThresholdRule($0) })
    readings = (0..<Self.owners).map(Self.reading)
    let pair = try LocalSocket.Pair()
    sensor = Channel(pair.ours)
    hub = Channel(pair.theirs)
  }

  func measure() throws -> [(name: String, value: Double)] {
    now += .seconds(1)
    for index in readings.indices { readings[index].usage.received += UInt64(index) }
    var measurement = Measurement(interval: .seconds(1), readings: readings)
    let channel = try Cost.of { measurement = try pass(measurement) }
    let time = Timestamp(seconds: 0)
    var report: UsageReport?
    let absorb = Cost.of { report = aggregator.absorb([measurement], at: time) }
    var alerts = 0
    let update = Cost.of { if let report { alerts = thresholds.update(with: report, at: now).count } }
    var totals: [Owner: Usage] = [:]
    let floor = Cost.of { for reading in readings { totals[reading.owner, default: .zero] += reading.usage } }
    return channel.named("channel") + absorb.named("absorb") + update.named("update") + floor.named("floor")
      + [("rows", Double(report?.rows.count ?? 0)), ("alerts", Double(alerts))]
  }

  /// Both ends take turns, as the two processes do.
  private func pass(_ measurement: Measurement) throws -> Measurement {
    try sensor.send(.measurement(number: 1, measurement))
    while true {
      if case .measurement(_, let received) = try hub.receive(until: .now) { return received }
      _ = try sensor.receive(until: .now)
    }
  }

  /// One of ten is claimed by no rule and stands for its program.
  private static func reading(_ number: Int) -> Reading {
    let identity = ProcessIdentity(pid: Int32(number + 1), startTime: UInt64(number))
    let path =
      number.isMultiple(of: 10) ? "/usr/bin/tool\(number % 500)" : "/opt/service\(number % rules)/bin/worker"
    let arguments = [path, "--config", "/etc/service/worker-\(number).conf", "--verbose"]
    let process = ProcessDescription(
      identity: identity, uid: 1000, executable: path, arguments: arguments,
      commandLine: arguments.joined(separator: " "))
    return Reading(owner: .process(identity), process: process, usage: Usage(received: 1500, sent: 400))
  }
}
