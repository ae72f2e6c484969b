import Foundation
import Lab
import Model
import Testing

@testable import Tstat

/// What NetSage's pipeline asks of a flow before it keeps it (netsage-pipeline: 10-preliminaries.conf, 20-add-id.conf,
/// 40-aggregation.conf).
@Suite struct ConsumerTests {
  private static let logs = [
    "105ccf8-tcp-all", "57ae7b8-tcp-09", "57ae7b8-tcp-15", "57ae7b8-tcp-31", "9c99f98-tcp-15",
    "9c99f98-tcp-31",
    "7a9768e-tcp-15", "7a9768e-tcp-31", "105ccf8-udp-all", "57ae7b8-udp-all", "HEAD-udp-all",
  ]
  /// The fields of the id that joins the parts of a flow.
  private static let idFields = ["src_ip", "dst_ip", "src_port", "dst_port", "protocol", "sensor_id"]

  /// The pipeline drops a flow that has an address of these.
  private static let privateNetworks = [
    ("10.0.0.0", 8), ("100.64.0.0", 10), ("192.168.0.0", 16), ("172.16.0.0", 12), ("fc00::", 7),
    ("169.254.0.0", 16), ("fe80::", 10), ("::1", 128),
  ]

  private static func flows(_ json: Data) throws -> [[String: Any]] {
    try #require(try JSONSerialization.jsonObject(with: json) as? [[String: Any]])
  }

  private static func flows(
    _ folder: ScratchFolder, _ logs: [String], _ options: RowOptions = RowReaderTests.options()
  ) throws -> [[String: Any]] {
    try LogSlicesTests.slices(folder.path, logs, options).slices.flatMap { try flows(Data($0.body)) }
  }

  private static func id(_ flow: [String: Any]) throws -> [String] {
    let meta = try #require(flow["meta"] as? [String: Any])
    return try idFields.map { "\(try #require(meta[$0], "\($0) is missing"))" }
  }

  private static func isDropped(_ flow: [String: Any]) throws -> Bool {
    let meta = try #require(flow["meta"] as? [String: Any])
    return try ["src_ip", "dst_ip"].contains { key in
      let text = try #require(meta[key] as? String)
      let address = try #require(IPAddress(text), "\(text)")
      return try privateNetworks.contains { network, bits in
        let network = try #require(IPAddress(network))
        let rest = 128 - bits - (network.isV4 ? 96 : 0)
        return network.bits >> rest == address.bits >> rest
      }
    }
  }

  private static func seconds(_ flow: [String: Any], _ key: String) throws -> Double {
    try #require(flow[key] as? NSNumber, "\(key)").doubleValue
  }

  @Test(arguments: logs)
  func `every flow has what the pipeline needs, and the id and times of the original's`(name: String) throws {
    let url = try #require(Bundle.module.url(forResource: "Fixtures/parity/\(name)", withExtension: "log"))
    let folder = try ScratchFolder()
    let log = name.contains("udp") ? "log_udp_complete" : "log_tcp_complete"
    try folder.write(try String(contentsOf: url, encoding: .utf8), to: log)
    let options = RowReaderTests.options {
      $0.sensor = "sensor.example"
      $0.hasEmptyDirections = true
    }
    var likeOriginal = options
    likeOriginal.hasMillisecondsOfUDP = true
    let flows = try Self.flows(folder, [log], options)
    let originals = try Self.flows(
      try Data(contentsOf: url.deletingPathExtension().appendingPathExtension("json")))
    #expect(!flows.isEmpty)
    #expect(try flows.map(Self.id) == originals.map(Self.id))
    for key in ["start", "end"] {
      // The original takes seconds of UDP logs for milliseconds, and so has other ends.
      let ours = try key == "end" ? Self.flows(folder, [log], likeOriginal) : flows
      #expect(try ours.map { try Self.seconds($0, key) } == originals.map { try Self.seconds($0, key) })
    }
    for flow in flows {
      #expect(flow["type"] as? String == "flow" && flow["interval"] as? Int == 600)
      // Flows of other types are stitched together.
      #expect((flow["meta"] as? [String: Any])?["flow_type"] as? String == "tstat")
      #expect(try !Self.isDropped(flow))
      let values = try #require(flow["values"] as? [String: Any])
      for key in ["duration", "num_bits", "num_packets", "bits_per_second", "packets_per_second"] {
        #expect(values[key] is NSNumber, "\(key)")
      }
      // Times in milliseconds would be divided again.
      for key in ["start", "end"] {
        let time = try Self.seconds(flow, key)
        #expect((0...9_999_999_999).contains(time) && time == time.rounded())
      }
    }
  }

  @Test func `a flow ends no earlier than it begins, or the pipeline drops it`() throws {
    let folder = try ScratchFolder()
    try folder.write(LogSlicesTests.log(rows: 3), to: "log_tcp_complete")
    let row = "192.0.2.1 5 1726863583999.9996 0.0004 62 1 192.0.2.2 53 1726863583123.456 3600.5 62 1\n"
    try folder.write(RowReaderTests.udp + "\n" + row, to: "log_udp_complete")
    let flows = try Self.flows(folder, ["log_tcp_complete", "log_udp_complete"])
    #expect(flows.count == 8)
    for flow in flows {
      #expect(try #require(flow["end"] as? Int) >= #require(flow["start"] as? Int))
    }
  }

  @Test func `flows of private addresses are dropped, and those of public ones are not`() throws {
    let pairs = [
      ("192.0.2.1", "198.51.100.7"), ("2001:db8::1", "2001:db8:ffff::2"), ("9.255.255.255", "11.0.0.0"),
      ("172.15.255.255", "172.32.0.0"), ("10.1.2.3", "192.0.2.1"), ("192.0.2.1", "172.31.255.255"),
      ("100.127.255.255", "192.0.2.1"), ("192.0.2.1", "192.168.0.1"), ("169.254.0.1", "192.0.2.1"),
      ("2001:db8::1", "fdff::1"), ("fe80::1", "2001:db8::1"), ("::1", "::1"),
    ]
    let rows = pairs.map { "\($0) 5 1726863583999.9 0.4 62 1 \($1) 53 1726863583123.4 0.5 62 1\n" }
    let folder = try ScratchFolder()
    try folder.write(RowReaderTests.udp + "\n" + rows.joined(), to: "log_udp_complete")
    let flows = try Self.flows(folder, ["log_udp_complete"])
    // Each direction is a flow.
    #expect(flows.count == 24)
    #expect(
      try flows.map(Self.isDropped) == Array(repeating: false, count: 8) + Array(repeating: true, count: 16))
  }
}

extension IPAddress {
  fileprivate var bits: UInt128 { UInt128(high) << 64 | UInt128(low) }
}
