import Lab
import Testing

@testable import Tstat

/// Acknowledgements in any order.
@Suite struct AckWatermarkTests {
  private enum Ack: Sendable { case one(Int), through(Int) }

  private struct Row: Sendable {
    var acks: [Ack]
    var effects: [AckWatermark.Effect]
    var count: Int
  }

  /// Three are acknowledged from the start; the window is four.
  private static let rows: [Row] = [
    Row(acks: [], effects: [], count: 3),
    Row(acks: [.one(3), .one(4)], effects: [.advanced(4), .advanced(5)], count: 5),
    Row(acks: [.one(4), .one(5), .one(3)], effects: [.waits, .waits, .advanced(6)], count: 6),
    Row(acks: [.one(0), .one(2), .one(-1)], effects: [.repeated, .repeated, .repeated], count: 3),
    Row(acks: [.one(5), .one(5)], effects: [.waits, .repeated], count: 3),
    Row(acks: [.one(6), .one(7), .one(.max)], effects: [.waits, .notSent, .notSent], count: 3),
    Row(acks: [.through(5)], effects: [.advanced(6)], count: 6),
    Row(acks: [.one(6), .one(4), .through(5)], effects: [.waits, .waits, .advanced(7)], count: 7),
    Row(acks: [.through(2), .through(7)], effects: [.repeated, .notSent], count: 3),
  ]

  @Test(arguments: rows)
  private func `the count has no hole`(row: Row) {
    var watermark = AckWatermark(acknowledged: 3, window: 4)
    let effects = row.acks.map { ack in
      switch ack {
      case .one(let slice): watermark.acknowledge(slice)
      case .through(let slice): watermark.acknowledge(through: slice)
      }
    }
    #expect(effects == row.effects)
    #expect(watermark.count == row.count)
  }

  @Test func `any order of all ends at all of them, within the window`() {
    var random = SplitMix64(seed: 2)
    for _ in 0..<200 {
      var watermark = AckWatermark(window: 8)
      var inFlight: [Int] = []
      var next = 0
      while watermark.count < 100 {
        while next < 100, watermark.mayBeSent(next) {
          inFlight.append(next)
          next += 1
        }
        #expect(inFlight.count + watermark.waiting <= 8)
        let slice = inFlight.remove(at: Int.random(in: inFlight.indices, using: &random))
        #expect(watermark.acknowledge(slice) != .notSent)
      }
      #expect(watermark.waiting == 0)
    }
  }
}
