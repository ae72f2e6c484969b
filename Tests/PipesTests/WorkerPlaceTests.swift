import Testing

@testable import Pipes

/// Which worker has a new connection.
@Suite struct WorkerPlaceTests {
  /// The first worker accepts all, and nobody leaves: how many the two have then.
  @Test(
    arguments: [
      (1, [1, 0]), (2, [2, 0]), (3, [2, 1]), (8, [4, 4]), (9, [5, 4]), (17, [9, 8]), (31, [16, 15]),
      (32, [17, 15]), (33, [17, 16]), (40, [21, 19]),
    ])
  func `of a few connections each has as many, of many about as many`(count: Int, expected: [Int]) {
    var loads = [0, 0]
    for _ in 0..<count { loads[Worker.keeps(mine: loads[0], least: loads.min() ?? 0) ? 0 : 1] += 1 }
    #expect(loads == expected)
  }
}
