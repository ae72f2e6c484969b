import Foundation
import Lab
import Testing

@testable import Tstat

/// What NetSage's pipeline asks of a flow before it keeps it (netsage-pipeline: 10-preliminaries.conf, 20-add-id.conf).
@Suite struct ConsumerTests {
  private static let logs = [
    "105ccf8-tcp-all", "57ae7b8-tcp-09", "57ae7b8-tcp-15", "57ae7b8-tcp-31", "9c99f98-tcp-15",
    "9c99f98-tcp-31",
    "7a9768e-tcp-15", "7a9768e-tcp-31", "105ccf8-udp-all", "57ae7b8-udp-all", "HEAD-udp-all",
  ]
  /// The fields of the id that joins the parts of a flow.
  private static let idFields = ["src_ip", "dst_ip", "src_port", "dst_port", "protocol", "sensor_id"]

  private static func flows(_ json: Data) throws -> [[String: Any]] {
    try #require(try JSONSerialization.jsonObject(with: json) as? [[String: Any]])
  }

  private static func id(_ flow: [String: Any]) throws -> [String] {
    let meta = try #require(flow["meta"] as? [String: Any])
    return try idFields.map { "\(try #require(meta[$0], "\($0) is missing"))" }
  }

  @Test(arguments: logs)
  func `every flow has what the pipeline needs, and the id that the original's had`(name: String) throws {
    let url = try #require(Bundle.module.url(forResource: "Fixtures/parity/\(name)", withExtension: "log"))
    let folder = try ScratchFolder()
    let log = name.contains("udp") ? "log_udp_complete" : "log_tcp_complete"
    try folder.write(try String(contentsOf: url, encoding: .utf8), to: log)
    let options = RowReaderTests.options {
      $0.sensor = "sensor.example"
      $0.hasEmptyDirections = true
    }
    let flows = try LogSlicesTests.slices(folder.path, [log], options).slices.flatMap {
      try Self.flows(Data($0.body))
    }
    let originals = try Self.flows(
      try Data(contentsOf: url.deletingPathExtension().appendingPathExtension("json")))
    #expect(!flows.isEmpty)
    #expect(try flows.map(Self.id) == originals.map(Self.id))
    for flow in flows {
      #expect(flow["type"] as? String == "flow" && flow["interval"] as? Int == 600)
      let values = try #require(flow["values"] as? [String: Any])
      for key in ["duration", "num_bits", "num_packets", "bits_per_second", "packets_per_second"] {
        #expect(values[key] is NSNumber, "\(key)")
      }
      // Times in milliseconds would be divided again.
      for key in ["start", "end"] {
        let time = try #require(flow[key] as? NSNumber, "\(key)")
        #expect((0...9_999_999_999).contains(time.doubleValue))
      }
    }
  }

  @Test func `a flow ends no earlier than it begins, or the pipeline drops it`() throws {
    let folder = try ScratchFolder()
    try folder.write(LogSlicesTests.log(rows: 3), to: "log_tcp_complete")
    let row = "192.0.2.1 5 1726863583999.9996 0.0004 62 1 192.0.2.2 53 1726863583123.456 3600.5 62 1\n"
    try folder.write(RowReaderTests.udp + "\n" + row, to: "log_udp_complete")
    let slices = try LogSlicesTests.slices(folder.path, ["log_tcp_complete", "log_udp_complete"]).slices
    let flows = try slices.flatMap { try Self.flows(Data($0.body)) }
    #expect(flows.count == 8)
    for flow in flows {
      #expect(try #require(flow["end"] as? Int) >= #require(flow["start"] as? Int))
    }
  }
}
