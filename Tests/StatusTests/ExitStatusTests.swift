import ArgumentParser
@testable import Metering
import Program
import SystemPackage
import Testing

@testable import Diagnosis
@testable import SystemRuntime

/// What a program exits with.
@Suite struct ExitStatusTests {
  @Test(
    arguments: [
      ([], nil), ([.ok("")], nil), ([.note("")], nil), ([.ok(""), .note(""), .ok("")], nil),
      ([.problem("")], .problems),
      ([.ok(""), .note(""), .problem(""), .ok("")], .problems), ([.problem(""), .problem("")], .problems),
    ] as [([DoctorFinding.Verdict], Program.ExitStatus?)])
  func `the doctor's is 0 unless it found a problem`(
    verdicts: [DoctorFinding.Verdict], status: Program.ExitStatus?
  ) {
    #expect(Program.ExitStatus(verdicts.map { DoctorFinding("x", $0) }) == status)
  }

  @Test(
    arguments: [
      (.problems, 1), (.usage, 64), (.data, 65), (.unavailable, 69), (.software, 70), (.temporary, 75),
      (.noPermission, 77), (.configuration, 78),
    ] as [(Program.ExitStatus, Int32)])
  func `each has its number`(status: Program.ExitStatus, number: Int32) {
    #expect(status.exitCode.rawValue == number)
  }

  @Test(
    arguments: [
      (.notPermitted("x"), .noPermission), (.unsupported("x"), .unavailable), (.accountingOff, .unavailable),
      (.failed("x", .ioError), .temporary), (.unreadable(path: "x", .ioError), .configuration),
    ] as [(KernelError, Program.ExitStatus)])
  func `what Linux does not answer has its own`(error: KernelError, status: Program.ExitStatus) {
    #expect(Program.ExitStatus(error) == status)
  }
}
