import Diagnosis
import Model
import Ownership
import Program
import SystemRuntime

/// `--doctor`: all that could make numbers wrong on this host, and how to mend it.
public enum Doctor {
  /// Looks at this host as a program with these flags would, and prints a line for each thing looked at. Gives up what is
  /// not in `privilege` once the BPF program was tried. Errors: `problems` unless all is well, and what a `KernelError`
  /// means.
  public static func run(
    _ options: SourceOptions, _ privilege: LeastPrivilege, _ diagnostics: Diagnostics
  ) throws {
    let findings: [DoctorFinding]
    do throws(KernelError) {
      let witness = try WitnessListener.probe(options.witness)
      privilege.drop(diagnostics, listens: options.source != .procfs)
      findings = try HostFacts.read(options.source, namespaces: options.namespaces, witness: witness).findings
      for finding in findings { try StandardOutput.printLine("\(finding)".escapingControlCharacters) }
    } catch {
      diagnostics.error(error)
      throw ExitStatus(error).exitCode
    }
    if let status = ExitStatus(findings) { throw status.exitCode }
  }
}

extension ExitStatus {
  /// What `--doctor` exits with; nil where nothing is to be done, which is 0.
  init?(_ findings: [DoctorFinding]) {
    if !findings.contains(where: \.isProblem) { return nil }
    self = .problems
  }
}
