public import Model

/// The JSON of connvitals 4.3.2, with its keys, their order and its white space, to the byte; only that text of
/// strangers is escaped, which the original left out.
///
/// Times are in milliseconds as printf(3)'s `%f`. A service that did not answer is the string `"None"`.
public enum ConnvitalsJSON {
  /// The line of a report, without a line feed.
  public static func line(_ report: HostReport) -> String {
    let data = [
      report.ping.map { #""ping":"# + ping($0) }, report.trace.map { #""trace":"# + trace($0) },
      report.scan.map { #""scan":"# + scan($0) },
    ]
    let fields = [address(report.target), name(report.target)] + data.compactMap(\.self)
    return "{" + fields.joined(separator: ",") + "}"
  }

  /// `{"min":..,"avg":..,"max":..,"std":..,"loss":..}`; -1 for the times when nothing was received.
  public static func ping(_ burst: PingBurst) -> String {
    var bytes: [UInt8] = []
    append(burst, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the same: thousands come in a second.
  static func append(_ burst: PingBurst, to bytes: inout [UInt8]) {
    let columns = burst.columns
    for (index, name) in pingNames.enumerated() {
      bytes.append(contentsOf: name.utf8)
      columns[index].appendFixed(6, to: &bytes)
    }
    bytes.append(UInt8(ascii: "}"))
  }

  private static let pingNames = [#"{"min":"#, #","avg":"#, #","max":"#, #","std":"#, #","loss":"#]

  /// `[["*"],["10.168.253.8", 2.187014]]`: a hop that did not answer, and one that did. A trace that could not leave
  /// this host is one that did not.
  public static func trace(_ trace: RouteTrace) -> String {
    let steps = trace.answers.map { answer in
      answer.map { "[\"\($0.address)\", \($0.milliseconds.fixed(6))]" } ?? #"["*"]"#
    }
    return "[" + steps.joined(separator: ",") + "]"
  }

  /// `{"http":{"rtt":..,"response code":"..","server":".."},"https":..,"mysql":{"rtt":..,"version":".."}}`.
  public static func scan(_ scan: ServiceScan) -> String {
    #"{"http":\#(web(scan.http)),"https":\#(web(scan.https)),"mysql":\#(database(scan.mysql))}"#
  }

  static func address(_ target: ProbeTarget) -> String { "\"addr\":\"\(target.address)\"" }

  static func name(_ target: ProbeTarget) -> String {
    var bytes: [UInt8] = []
    appendName(target, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  static func appendName(_ target: ProbeTarget, to bytes: inout [UInt8]) {
    bytes.append(contentsOf: #""name":"#.utf8)
    JSONWriter.appendQuoted(target.name, to: &bytes)
  }

  private static let none = #""None""#

  private static func web(_ answer: ServiceScan.Answer<ServiceScan.Web>) -> String {
    guard let web = answer.value else { return none }
    let time = web.roundTrip.inMilliseconds.fixed(6)
    let server = JSONWriter.quoted(web.shownServer)
    return #"{"rtt":\#(time),"response code":"\#(web.status)","server":\#(server)}"#
  }

  private static func database(_ answer: ServiceScan.Answer<ServiceScan.Database>) -> String {
    guard let database = answer.value else { return none }
    let time = database.roundTrip.inMilliseconds.fixed(6)
    return #"{"rtt":\#(time),"version":\#(JSONWriter.quoted(database.shownVersion))}"#
  }
}
