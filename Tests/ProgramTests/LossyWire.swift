import Foundation
import Lab

/// A wire with delay and loss between two hosts: 10.88.0.1 at the first, 10.88.0.2 at the second.
struct LossyWire {
  private let process: ChildProcess

  /// Lays the wire; `delay` is that of each direction in milliseconds, `loss` in percent.
  init(_ first: NetworkNamespace, _ second: NetworkNamespace, delay: Double, loss: Double) async throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/lossy_wire.py")
      .path
    process = try first.start(["python3", file, "/run/netns/\(second.name)", "\(delay)", "\(loss)"])
    let process = process
    _ = try await process.output.first("a wire; \(process.errors.text)") { $0 == "ready" ? $0 : nil }
    for (number, host) in [(1, first), (2, second)] {
      try await host.ip("addr add 10.88.0.\(number)/24 dev tun0")
      try await host.ip("link set tun0 up")
    }
  }

  /// Takes the wire away, and returns how many packets it lost.
  func remove() async throws -> Int {
    process.closeInput()
    let status = try await process.ended()
    let words = process.output.text.split(whereSeparator: \.isWhitespace)
    guard status == .exited(0), let lost = words.last.flatMap({ Int($0) }) else {
      throw LabError.failed(
        command: process.command, status: "\(status)", output: process.output.text + process.errors.text)
    }
    return lost
  }
}
