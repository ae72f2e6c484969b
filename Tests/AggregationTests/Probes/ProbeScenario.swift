import Aggregation
import INI
import Model

/// What the suites of probes need to write a scenario in a few words.

/// The rules for probes of a notification file's text.
func probeRules(_ text: String) throws(INIError) -> [ProbeRule] {
  var rules: [ProbeRule] = []
  for section in try INIFile(name: "n.cfg", bytes: text.utf8).sections {
    if let rule = try ProbeRule(section) { rules.append(rule) }
  }
  return rules
}

/// A target by its name, at 10.0.0.N.
func target(_ name: String, _ number: UInt32 = 1) -> ProbeTarget {
  ProbeTarget(name: name, address: IPAddress(v4: 0x0a00_0000 + number))
}

/// A burst of `sent` requests of which `received` were answered in `milliseconds`, begun `second` seconds after noon.
func ping(
  _ name: String, _ second: Double = 0, sent: Int = 10, received: Int = 10, milliseconds: Double = 1
) -> ProbeResult {
  let times = Array(repeating: Duration.microseconds(Int64(milliseconds * 1000)), count: received)
  return ProbeResult(
    target: target(name), time: noon.later(second), finding: .ping(PingBurst(sent: sent, roundTrips: times)))
}

/// A burst that nobody answered.
func lost(_ name: String, _ second: Double = 0) -> ProbeResult { ping(name, second, received: 0) }

extension Timestamp {
  /// So many seconds later.
  func later(_ second: Double) -> Timestamp {
    let nanoseconds = Int64((second * 1000).rounded()) * 1_000_000
    return Timestamp(
      seconds: seconds + nanoseconds / 1_000_000_000, nanoseconds: Int32(nanoseconds % 1_000_000_000))
  }
}
