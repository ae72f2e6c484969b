import Lab
import Testing

@testable import Tstat

/// Slices under way, and what of them is recorded.
@Suite struct SendWindowTests {
  @Test func `a window is full of what is not recorded, also when it is acknowledged`() {
    var window = SendWindow(4)
    window.begin(0, acknowledged: 10)
    let numbers = (10..<14).map { window.submit($0, of: 0) }
    #expect(!window.hasRoom)
    #expect(window.worthRecording().isEmpty)
    let first = window.acknowledge(numbers[0])
    #expect(first && !window.hasRoom)
    #expect(window.worthRecording() == [.init(directory: 0, acknowledged: 11)])
    window.recorded(.init(directory: 0, acknowledged: 11))
    #expect(window.hasRoom)
  }

  @Test func `a hole holds back what comes after it`() {
    var window = SendWindow(4)
    window.begin(0, acknowledged: 0)
    let numbers = (0..<4).map { window.submit($0, of: 0) }
    for number in numbers.dropFirst() { _ = window.acknowledge(number) }
    #expect(window.worthRecording(all: true).isEmpty)
    _ = window.acknowledge(numbers[0])
    #expect(window.worthRecording() == [.init(directory: 0, acknowledged: 4)])
  }

  @Test func `a record is worth its write with half a window, or for all`() {
    var window = SendWindow(8)
    window.begin(0, acknowledged: 0)
    let numbers = (0..<4).map { window.submit($0, of: 0) }
    for number in numbers.prefix(3) { _ = window.acknowledge(number) }
    #expect(window.worthRecording().isEmpty)
    #expect(window.worthRecording(all: true) == [.init(directory: 0, acknowledged: 3)])
    _ = window.acknowledge(numbers[3])
    #expect(window.worthRecording() == [.init(directory: 0, acknowledged: 4)])
  }

  @Test func `a directory is complete when it is read and all of it is acknowledged`() {
    var window = SendWindow(8)
    window.begin(0, acknowledged: 0)
    window.begin(1, acknowledged: 2)
    window.begin(2, acknowledged: 0)
    let first = window.submit(0, of: 0)
    let second = window.submit(2, of: 1)
    window.finishReading(1, total: 3)
    window.finishReading(2, total: 0)
    #expect(window.takeComplete().map(\.directory) == [2])
    _ = window.acknowledge(first)
    #expect(window.takeComplete().isEmpty)
    window.finishReading(0, total: 1)
    _ = window.acknowledge(second)
    #expect(window.takeComplete().map(\.directory) == [0, 1])
    #expect(window.isEmpty && window.hasRoom)
    let again = window.acknowledge(second)
    #expect(!again)
  }

  @Test func `a slice that is refused is settled, and kept apart`() {
    var window = SendWindow(4)
    window.begin(0, acknowledged: 7)
    let numbers = (7..<11).map { window.submit($0, of: 0) }
    _ = window.acknowledge(numbers[0])
    let refused = window.refuse(numbers[1])
    #expect(refused?.directory == 0 && refused?.slice == 8 && window.refuse(numbers[1]) == nil)
    _ = window.refuse(numbers[3])
    #expect(window.worthRecording() == [.init(directory: 0, acknowledged: 9, refused: [8])])
    window.recorded(.init(directory: 0, acknowledged: 9, refused: [8]))
    #expect(window.hasRoom && window.refusedCount(of: 0) == 2)
    window.finishReading(0, total: 11)
    #expect(window.takeComplete().isEmpty)
    _ = window.acknowledge(numbers[2])
    #expect(window.takeComplete() == [.init(directory: 0, acknowledged: 11, refused: [8, 10])])
    #expect(window.isEmpty && window.hasRoom)
  }

  @Test
  func `what was refused by an earlier run is under way again, and its place is free once it is settled`() {
    var window = SendWindow(2)
    window.begin(0, acknowledged: 5, refused: [1, 3, 4])
    window.finishReading(0, total: 5)
    for slice in [1, 3] {
      let number = window.submit(slice, of: 0)
      #expect(window.takeComplete().isEmpty)
      _ = window.acknowledge(number)
      #expect(window.hasUnrecorded && window.hasRoom)
    }
    // They are two numbers of one window.
    let last = window.submit(4, of: 0)
    #expect(window.worthRecording(all: true) == [.init(directory: 0, acknowledged: 5, refused: [4])])
    window.recorded(.init(directory: 0, acknowledged: 5, refused: [4]))
    #expect(!window.hasUnrecorded)
    _ = window.refuse(last)
    #expect(window.takeComplete() == [.init(directory: 0, acknowledged: 5, refused: [4])])
    for slice in 0..<2 { _ = window.submit(slice, of: 1) }
    #expect(!window.hasRoom)
  }

  @Test func `a directory that is dropped gives its places back`() {
    var window = SendWindow(4)
    window.begin(0, acknowledged: 7)
    window.begin(1, acknowledged: 0)
    let numbers = (7..<10).map { window.submit($0, of: 0) }
    let other = window.submit(0, of: 1)
    _ = window.acknowledge(numbers[0])
    _ = window.acknowledge(numbers[2])
    #expect(!window.hasRoom)
    // What is beyond the hole comes again.
    #expect(window.drop(0) == .init(directory: 0, acknowledged: 8))
    #expect(window.hasRoom && !window.isEmpty)
    window.finishReading(1, total: 1)
    _ = window.acknowledge(other)
    #expect(window.takeComplete().map(\.directory) == [1] && window.isEmpty)
    for slice in 0..<4 { _ = window.submit(slice, of: 2) }
    #expect(!window.hasRoom)
  }

  @Test func `a directory that can be read no more ends with what was acknowledged before`() {
    var window = SendWindow(8)
    window.begin(0, acknowledged: 5)
    window.finishReading(0, total: 0)
    #expect(window.takeComplete().map(\.directory) == [0])
  }

  @Test func `in any order no more than a window is unrecorded, and all ends`() {
    var random = SplitMix64(seed: 2)
    for _ in 0..<100 {
      var window = SendWindow(8)
      var recorded = [0, 0, 0]
      var submitted = [0, 0, 0]
      var underWay: [UInt64] = []
      var complete: Set<Int> = []
      for directory in 0..<3 {
        window.begin(directory, acknowledged: 0)
        for slice in 0..<20 {
          while !window.hasRoom {
            let number = underWay.remove(at: Int.random(in: underWay.indices, using: &random))
            let isKnown = window.acknowledge(number)
            #expect(isKnown)
            complete.formUnion(window.takeComplete().map(\.directory))
            for record in window.worthRecording() {
              window.recorded(record)
              recorded[record.directory] = record.acknowledged
            }
          }
          underWay.append(window.submit(slice, of: directory))
          submitted[directory] += 1
          let open = (0..<3).filter { !complete.contains($0) }
          #expect(open.map { submitted[$0] - recorded[$0] }.reduce(0, +) <= 8)
        }
        window.finishReading(directory, total: 20)
      }
      for number in underWay { _ = window.acknowledge(number) }
      complete.formUnion(window.takeComplete().map(\.directory))
      #expect(complete == [0, 1, 2] && window.isEmpty)
    }
  }
}
