import Foundation

/// A line of `connvitals --format json`.
struct ProbeEvent: Decodable {
  struct Hop: Decodable {
    var ttl: Int
    var address: String?
    var rtt: Double?
  }

  /// One of several paths.
  struct Path: Decodable {
    var flows: Int
    var ending: String
    var hops: [Hop]

    var addresses: [String] { hops.map { $0.address ?? "*" } }
  }

  struct Service: Decodable {
    var rtt: Double?
    var status: Int?
    var server: String?
    var certificate: String?
    var version: String?
    var error: String?
  }

  var kind: String
  var target: String
  var address: String
  // Of a ping.
  var sent: Int?
  var received: Int?
  var loss: Double?
  var min: Double?
  var avg: Double?
  var max: Double?
  var duplicates: Int?
  var late: Int?
  var error: String?
  // Of a trace.
  var ending: String?
  var hops: [Hop]?
  var flows: Int?
  var paths: [Path]?
  // Of a scan.
  var http: Service?
  var https: Service?
  var mysql: Service?

  init(line: String) throws { self = try JSONDecoder().decode(Self.self, from: Data(line.utf8)) }

  /// The addresses of the hops, `*` for those that did not answer.
  var path: [String] { hops?.map { $0.address ?? "*" } ?? [] }
}

/// A line of JSON as connvitals 4.3.2 and connmonitor 4.1.3 write it.
struct OriginalRecord: Decodable {
  struct Ping: Decodable {
    var min: Double
    var avg: Double
    var max: Double
    var std: Double
    var loss: Double
  }

  /// An address with milliseconds, or `*` alone.
  struct Step: Decodable {
    var address: String
    var milliseconds: Double?

    init(from decoder: any Decoder) throws {
      var container = try decoder.unkeyedContainer()
      address = try container.decode(String.self)
      milliseconds = try container.decodeIfPresent(Double.self)
    }
  }

  var addr: String
  var name: String
  var timestamp: Double?
  var ping: Ping?
  var trace: [Step]?

  init(line: String) throws { self = try JSONDecoder().decode(Self.self, from: Data(line.utf8)) }

  var path: [String] { trace?.map(\.address) ?? [] }
}
