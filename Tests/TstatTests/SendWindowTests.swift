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
    #expect(window.takeComplete() == [2])
    _ = window.acknowledge(first)
    #expect(window.takeComplete().isEmpty)
    window.finishReading(0, total: 1)
    _ = window.acknowledge(second)
    #expect(window.takeComplete() == [0, 1])
    #expect(window.isEmpty && window.hasRoom)
    let again = window.acknowledge(second)
    #expect(!again)
  }

  @Test func `a slice that is refused ends its directory and gives its places back`() {
    var window = SendWindow(4)
    window.begin(0, acknowledged: 7)
    window.begin(1, acknowledged: 0)
    let numbers = (7..<10).map { window.submit($0, of: 0) }
    let other = window.submit(0, of: 1)
    _ = window.acknowledge(numbers[0])
    _ = window.acknowledge(numbers[2])
    #expect(!window.hasRoom)
    // What is beyond the hole comes again.
    #expect(window.refuse(numbers[1]) == .init(directory: 0, acknowledged: 8))
    #expect(window.refuse(numbers[1]) == nil)
    #expect(window.hasRoom && !window.isEmpty)
    window.finishReading(1, total: 1)
    _ = window.acknowledge(other)
    #expect(window.takeComplete() == [1] && window.isEmpty)
    for slice in 0..<4 { _ = window.submit(slice, of: 2) }
    #expect(!window.hasRoom)
  }

  @Test func `a directory that can be read no more ends with what was acknowledged before`() {
    var window = SendWindow(8)
    window.begin(0, acknowledged: 5)
    window.finishReading(0, total: 0)
    #expect(window.takeComplete() == [0])
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
            complete.formUnion(window.takeComplete())
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
      complete.formUnion(window.takeComplete())
      #expect(complete == [0, 1, 2] && window.isEmpty)
    }
  }
}
