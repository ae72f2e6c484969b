import Model

extension ProbeResult {
  /// The keys of the target and the kind, then those of the kind. Times are in milliseconds; null stands for what did
  /// not come.
  func write(to writer: inout JSONWriter) {
    writer.field("event", "probe")
    writer.field("time", time.rfc3339)
    writer.field("target", target.name)
    writer.field("address", target.address.description)
    switch finding {
    case .ping(let burst):
      writer.field("kind", "ping")
      burst.write(to: &writer)
    case .trace(let trace):
      writer.field("kind", "trace")
      trace.write(to: &writer)
    case .scan(let scan):
      writer.field("kind", "scan")
      scan.write(to: &writer)
    case .connection(let port, let connection):
      writer.field("kind", "connect")
      writer.field("port", port)
      writer.milliseconds("rtt", connection.roundTrip)
      writer.field("error", connection.failure)
    }
  }
}

extension ProbeResult.Connection {
  fileprivate var roundTrip: Duration? { if case .accepted(let time) = self { time } else { nil } }

  fileprivate var failure: String? {
    switch self {
    case .accepted: nil
    case .failed(let reason), .unknown(let reason): reason
    }
  }
}

extension PingBurst {
  fileprivate func write(to writer: inout JSONWriter) {
    let statistics = statistics
    writer.field("sent", sent)
    writer.field("received", roundTrips.count)
    writer.key("loss")
    writer.number(loss, decimals: 3)
    writer.milliseconds("min", statistics?.minimum)
    writer.milliseconds("avg", statistics?.mean)
    writer.milliseconds("max", statistics?.maximum)
    writer.milliseconds("std", statistics?.deviation)
    writer.field("duplicates", duplicates)
    writer.field("late", late)
    writer.field("error", error?.description)
  }
}

extension RouteTrace {
  /// The path of most flows; of several flows also how many there were, and each path with its own.
  fileprivate func write(to writer: inout JSONWriter) {
    writePath(to: &writer)
    let paths = [self] + others
    let flows = paths.reduce(0) { $0 + $1.flows }
    guard flows > 1 else { return }
    writer.field("flows", flows)
    writer.key("paths")
    writer.array { writer in
      for path in paths {
        writer.object { writer in
          writer.field("flows", path.flows)
          path.writePath(to: &writer)
        }
      }
    }
  }

  private func writePath(to writer: inout JSONWriter) {
    switch ending {
    case .reached:
      writer.field("ending", "reached")
      writer.field("error", String?.none)
    case .stopped(let error):
      writer.field("ending", "stopped")
      writer.field("error", error.description)
    case .exhausted:
      writer.field("ending", "exhausted")
      writer.field("error", String?.none)
    }
    writer.key("hops")
    writer.array { writer in
      for (index, hop) in hops.enumerated() {
        writer.object { writer in
          writer.field("ttl", index + 1)
          writer.field("address", hop.address?.description)
          writer.milliseconds("rtt", hop.roundTrip)
        }
      }
    }
  }
}

extension ServiceScan {
  fileprivate func write(to writer: inout JSONWriter) {
    writer.key("http")
    http.write(to: &writer)
    writer.key("https")
    https.write(to: &writer)
    writer.key("mysql")
    writer.object { writer in
      writer.milliseconds("rtt", mysql.value?.roundTrip)
      writer.field("version", mysql.value?.version)
      writer.field("error", mysql.reason)
    }
  }
}

extension ServiceScan.Answer<ServiceScan.Web> {
  fileprivate func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.milliseconds("rtt", value?.roundTrip)
      writer.key("status")
      if let value { writer.integer(value.status) } else { writer.null() }
      writer.field("server", value?.server)
      writer.field("certificate", value?.certificateProblem)
      writer.field("error", reason)
    }
  }
}

extension ServiceScan.Answer {
  /// Why it did not answer; nil when it did.
  fileprivate var reason: String? {
    switch self {
    case .answered: nil
    case .missing(let reason), .unknown(let reason): reason
    }
  }
}

extension Outage {
  /// `uptime` is how long all was reachable before, `downtime` how long it was not, in seconds.
  func write(to writer: inout JSONWriter) {
    writer.field("event", "outage")
    writer.field("time", time.rfc3339)
    switch state {
    case .began(let uptime):
      writer.field("state", "firing")
      writer.field("subject", subject)
      writer.field("uptime", uptime)
    case .ended(let downtime, let isIgnored):
      writer.field("state", "resolved")
      writer.field("subject", subject)
      writer.field("downtime", downtime)
      writer.field("ignored", isIgnored)
    }
  }
}

extension JSONWriter {
  fileprivate mutating func milliseconds(_ key: String, _ value: Double?) {
    self.key(key)
    if let value { number(value, decimals: 6) } else { null() }
  }

  fileprivate mutating func milliseconds(_ key: String, _ value: Duration?) {
    milliseconds(key, value?.inMilliseconds)
  }
}
