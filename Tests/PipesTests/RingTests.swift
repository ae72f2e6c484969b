import Model
import SystemRuntime
import Testing

@testable import Pipes

@Suite struct RingTests {
  /// `PORT>PORT` is a pipe on 127.0.0.1, `PORT>HOST:PORT` one on all addresses.
  private static func configuration(_ text: some StringProtocol) throws -> PipeConfiguration {
    let ends = text.split(separator: ">")
    let target = ends[1].split(separator: ":")
    let ports = (try #require(UInt16(ends[0])), try #require(UInt16(target.last ?? "")))
    return PipeConfiguration(
      port: ports.0, host: target.count > 1 ? String(target[0]) : "127.0.0.1", remotePort: ports.1,
      bind: target.count > 1 ? nil : IPAddress("127.0.0.1"))
  }

  private static func refusal(of all: [PipeConfiguration]) -> PipeError? {
    do throws(PipeError) { try PipeConfiguration.check(all) } catch { return error }
    return nil
  }

  @Test(
    arguments: [
      ("1>2 2>3 3>9", nil), ("", nil), ("1>1", "1"), ("1>2 2>1", "1 2"), ("9>1 1>2 2>1", "1 2"),
      ("1>2 2>3 3>1", "1 2 3"), ("1>9 2>9 3>3", "3"), ("1>localhost:2 2>LOCALHOST:1", "1 2"),
      ("1>localhost:1", "1"), ("1>host:1", nil), ("1>192.0.2.1:2 2>192.0.2.1:1", nil),
      ("1>127.0.0.2:2 2>127.0.0.2:1", "1 2"), ("1>0.0.0.0:1", "1"), ("1>2 2>4 3>4 4>5 5>2", "2 4 5"),
    ] as [(String, String?)])
  func `pipes that lead round to each other are refused together`(text: String, ring: String?) throws {
    let all = try text.split(separator: " ").map { try Self.configuration($0) }
    let error = ring.map { ring in
      PipeError.ring(
        ring.split(separator: " ").compactMap { port in all.first { String($0.port) == port }?.name })
    }
    #expect(Self.refusal(of: all) == error)
    #expect(error?.description.contains(all.count == 1 ? "itself" : "for ever") ?? true)
  }

  @Test func `a long chain is no ring, until it closes`() throws {
    var all = (1..<3000).map { PipeConfiguration(port: $0, host: "127.0.0.1", remotePort: $0 + 1) }
    try PipeConfiguration.check(all)
    all[all.count - 1].remotePort = 1
    #expect(throws: PipeError.self) { try PipeConfiguration.check(all) }
  }

  @Test(
    arguments: [
      (nil, nil, true), ("127.0.0.1", "127.0.0.1", true), ("127.0.0.1", "127.0.0.2", false),
      (nil, "127.0.0.1", true), ("::1", nil, true), ("0.0.0.0", "127.0.0.1", true),
      ("0.0.0.0", "::1", false), ("::", "10.0.0.1", true), ("::1", "127.0.0.1", false),
    ] as [(String?, String?, Bool)])
  func `two pipes need two places`(first: String?, second: String?, isRefused: Bool) {
    let all = [first, second].map { bind in
      PipeConfiguration(port: 80, host: "h", remotePort: 81, bind: bind.flatMap { IPAddress($0) })
    }
    let error = isRefused ? PipeError.duplicate(all[0].name, all[1].name) : nil
    #expect(Self.refusal(of: all) == error)
  }
}
