import Model
import Testing

@testable import Monitors

/// When it is reported that a process ended, and from when on it can have sent nothing more.
@Suite struct ReportedProcessesTests {
  private static let processes = (1...3).map { Scenario.process($0) }
  private var reported = ReportedProcesses()

  /// What is reported as ended with the next measurement, and what had ended before the last one.
  private mutating func take(_ exited: [Int] = []) -> [[ProcessIdentity]] {
    let (ended, retired) = reported.take(exited: exited.map { Self.processes[$0] })
    return [ended, retired]
  }

  @Test mutating func `a process that was named is reported once as ended, and retired after that`() {
    let process = Self.processes[0]
    for _ in 0..<2 { reported.add(process, lives: true) }
    #expect(reported.contains(process) && take() == [[], []])
    #expect(take([0]) == [[process], []] && !reported.contains(process))
    #expect(take() == [[], [process]] && take() == [[], []])
  }

  @Test mutating func `one whose bytes came after its end is reported with the next measurement`() {
    let process = Self.processes[1]
    reported.add(process, lives: false)
    #expect(!reported.contains(process))
    #expect(take([2]) == [[process], [process]] && take() == [[], []])
  }

  @Test mutating func `one that was never named is not reported`() { #expect(take([2]) == [[], []]) }
}
