import ArgumentParser
import SystemRuntime

/// How a program ended, for scripts (sysexits(3head)).
public enum ExitStatus: Int32, Sendable {
  /// `--doctor` has found something to mend.
  case problems = 1
  /// Wrong flags.
  case usage = 64
  /// Input that cannot be understood.
  case data = 65
  /// Something that is needed is not there.
  case unavailable = 69
  /// Our bug.
  case software = 70
  /// Try again later.
  case temporary = 75
  /// A privilege is missing.
  case noPermission = 77
  /// A configuration file is wrong.
  case configuration = 78

  /// What a program exits with when Linux does not give an answer.
  public init(_ error: KernelError) {
    self =
      switch error {
      case .notPermitted, .withoutWitness(_, isPermission: true): .noPermission
      case .unsupported, .accountingOff, .withoutWitness: .unavailable
      case .failed, .notConfined, .neverConsistent, .tableTaken: .temporary
      case .unreadable, .wrongActivation: .configuration
      case .reported(_, let status, _): ExitStatus(rawValue: status) ?? .unavailable
      case .sensorLost: .unavailable
      }
  }

  /// The same, as ArgumentParser takes it.
  public var exitCode: ExitCode { ExitCode(rawValue) }
}
