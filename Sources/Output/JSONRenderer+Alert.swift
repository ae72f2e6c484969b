import Model

extension Alert {
  /// `count` says how often a firing alert was raised, 1 for the first time; `reason` why it is resolved.
  func write(to writer: inout JSONWriter) {
    writer.field("event", "alert")
    writer.field("time", time.rfc3339)
    switch state {
    case .firing, .repeated: writer.field("state", "firing")
    case .resolved: writer.field("state", "resolved")
    }
    writer.field("rule", rule)
    writer.field("subject", subject)
    writer.field("direction", direction.rawValue)
    writer.field("value", value)
    writer.field("threshold", threshold)
    writer.field("unit", "B/s")
    writer.field("interval", interval)
    writer.field("since", since.rfc3339)
    switch state {
    case .firing: writer.field("count", 1)
    case .repeated(let count): writer.field("count", count)
    case .resolved(let reason): writer.field("reason", reason.rawValue)
    }
    writer.field("pids", pids)
  }
}
