import Lab
import Testing

/// A42: with some privileges missing the bytes are still all there, those without a name with a reason.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct MonitorPrivilegeTests {
  private static let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]

  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let wrapper: [String]
    /// Whether root's process is still named.
    var names = false
    /// What the one line of complaint says.
    var complaint: String? = "CAP_SYS_PTRACE"
  }

  static let cases = [
    Case(
      testDescription: "root without CAP_SYS_PTRACE",
      wrapper: ["setpriv", "--inh-caps=-sys_ptrace", "--bounding-set=-sys_ptrace"]),
    Case(
      testDescription: "nobody with CAP_NET_ADMIN alone",
      wrapper: nobody + ["--inh-caps=+net_admin", "--ambient-caps=+net_admin"]),
    Case(
      testDescription: "nobody without those of BPF",
      wrapper: nobody + [
        "--inh-caps=+net_admin,+dac_read_search,+sys_ptrace",
        "--ambient-caps=+net_admin,+dac_read_search,+sys_ptrace",
      ], names: true, complaint: "cap_bpf"),
    Case(
      testDescription: "nobody with all five capabilities",
      wrapper: nobody + [
        "--inh-caps=+net_admin,+dac_read_search,+sys_ptrace,+cap_38,+cap_39",
        "--ambient-caps=+net_admin,+dac_read_search,+sys_ptrace,+cap_38,+cap_39",
      ], names: true, complaint: nil),
    Case(
      testDescription: "nobody where /proc hides other users' processes",
      // A new mount, in the mount namespace that `ip netns exec` makes. Never a remount: that would change the
      // /proc of the whole machine, whatever the namespace.
      wrapper: ["sh", "-c", "mount -t proc -o hidepid=2 proc /proc && exec \"$@\"", "sh"]
        + nobody + ["--inh-caps=+net_admin", "--ambient-caps=+net_admin"], complaint: "hidepid="),
  ]

  @Test(.needs(.packets), arguments: cases)
  func `no byte is lost, and one line says what is missing`(row: Case) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let traffic = try await TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 1000000").run(in: lab)
    let truth = try await lab.viewOfA()
    let copy = try await CopyForEveryone(of: "runmonitor")
    let child = try lab.a.start(
      row.wrapper + [
        copy.path, "--format", "json", "--count", "2", "--interval", "0.1", "--no-namespaces",
      ])
    #expect(try await child.ended() == .exited(0), "\(child.errors.text)")
    // Root is not told to be root.
    let isRoot = !row.wrapper.contains("--reuid")
    #expect(!isRoot || !child.errors.text.contains("as root"), "\(child.errors.text)")
    let report = try #require(try child.output.lines.compactMap { try Report(line: $0) }.last)
    #expect(report.balance.total.view == truth)
    #expect(report.balance.sum == truth)
    if row.names {
      #expect(report.usage(pid: traffic.client.pid) == truth)
    } else {
      #expect(report.row(pid: traffic.client.pid) == nil)
      #expect(report.balance.unattributed.view == truth)
    }
    #expect(child.complaints.count == (row.complaint == nil ? 0 : 1), "\(child.complaints)")
    if let complaint = row.complaint { #expect(child.errors.text.contains(complaint)) }
    try await traffic.finish()
  }
}
