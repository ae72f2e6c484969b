public import Model

/// The lines of connvitals 4.3.2, to the byte: for scripts that were written for it.
///
/// Times are in milliseconds as printf(3)'s `%.3f`. What comes from strangers is the original's with control
/// characters escaped.
public enum ConnvitalsText {
  /// All lines of a report, joined by line feeds, without one at the end.
  public static func lines(_ report: HostReport) -> String {
    let data = [report.ping.map(ping), report.trace.map(trace), report.scan.map(scan)]
    return ([head(report.target)] + data.compactMap(\.self)).joined(separator: "\n")
  }

  /// `name (address)`, or the name alone where that is the address.
  public static func head(_ target: ProbeTarget) -> String {
    let name = target.name.escapingControlCharacters
    let address = target.address.description
    return target.name == address ? name : "\(name) (\(address))"
  }

  /// The least, mean and greatest time, the sample deviation and the loss in percent, between tabs; -1 for the times
  /// when nothing was received.
  public static func ping(_ burst: PingBurst) -> String {
    let columns = burst.columns
    return columns.indices.map { columns[$0].fixed(3) }.joined(separator: "\t")
  }

  /// One line a hop, its address and time between tabs, or `*` for one that did not answer, joined by line feeds. A
  /// trace that could not leave this host is one such hop, so that no line is empty.
  public static func trace(_ trace: RouteTrace) -> String {
    trace.answers.map { $0.map { "\($0.address)\t\($0.milliseconds.fixed(3))" } ?? "*" }
      .joined(separator: "\n")
  }

  /// HTTP, HTTPS and MySQL between tabs: `time, status, server`, `time, version`, or `None`.
  public static func scan(_ scan: ServiceScan) -> String {
    [web(scan.http), web(scan.https), database(scan.mysql)].joined(separator: "\t")
  }

  private static func web(_ answer: ServiceScan.Answer<ServiceScan.Web>) -> String {
    guard let web = answer.value else { return "None" }
    let server = web.shownServer.escapingControlCharacters
    return "\(web.roundTrip.inMilliseconds.fixed(3)), \(web.status), \(server)"
  }

  private static func database(_ answer: ServiceScan.Answer<ServiceScan.Database>) -> String {
    guard let database = answer.value else { return "None" }
    let version = database.shownVersion.escapingControlCharacters
    return "\(database.roundTrip.inMilliseconds.fixed(3)), \(version)"
  }
}

extension PingBurst {
  /// The figures of the predecessor's record, in its order.
  var columns: InlineArray<5, Double> {
    guard let statistics else { return [-1, -1, -1, -1, 100] }
    return [statistics.minimum, statistics.mean, statistics.maximum, statistics.deviation, loss]
  }
}

extension RouteTrace {
  /// A hop that answered, as the predecessor's formats show it.
  struct Answer {
    var address: IPAddress
    var milliseconds: Double
  }

  /// The hops, nil for one that did not answer, as the only one of a trace without any.
  var answers: [Answer?] {
    if hops.isEmpty { return [nil] }
    return hops.map { hop in
      guard let address = hop.address, let time = hop.roundTrip else { return nil }
      return Answer(address: address, milliseconds: time.inMilliseconds)
    }
  }
}

extension ServiceScan.Web {
  /// The Server header; the word of the predecessor's manual where there is none.
  var shownServer: String { server ?? "Unknown" }
}

extension ServiceScan.Database {
  /// The number that the version begins with: `10.11.6` of `10.11.6-MariaDB`; all of it where it begins with none.
  ///
  /// The predecessor showed the first five characters, which make `8.0.3` of 8.0.36.
  var shownVersion: String {
    let number = version.prefix { $0 == "." || ("0"..."9").contains($0) }
    return number.isEmpty ? version : String(number)
  }
}
