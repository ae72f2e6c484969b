import Lab
import Testing

/// A42: what keeps runmonitor from right numbers is said in one line that ends with what to do.
@Suite(.needs(.namespaces), .serialized, .timeLimit(.minutes(10)))
struct MonitorStartTests {
  private static let program = Program.path("runmonitor")

  /// Runs it to its end in a namespace.
  private func start(
    _ flags: [String], in namespace: NetworkNamespace, wrapper: [String] = []
  ) async throws -> (status: ProcessStatus, output: String, errors: [String]) {
    let child = try namespace.start(wrapper + [Self.program] + flags)
    let status = try await child.ended()
    return (status, child.output.text, child.complaints)
  }

  @Test(arguments: [
    ["--nonsense"], ["--interval"], ["--interval", "0"], ["--interval", "-1"], ["--interval", "soon"],
    ["--interval", "nan"], ["--count", "0"], ["--count", "-1"], ["--count", "1.5"], ["--format", "xml"],
    ["--source", "ebpf"], ["--witness", "ebpf"], ["--include"], ["--include", "("], ["--exclude", "a{2,1}"],
    ["--keep-tracking"],
    ["surplus"], ["--bandwidth=yes"],
  ])
  func `a wrong flag is 64 and says which`(flags: [String]) async throws {
    let child = try ChildProcess([Self.program] + flags)
    #expect(try await child.ended() == .exited(64))
    #expect(child.output.text.isEmpty)
    let value = flags.last ?? ""
    #expect(child.errors.text.contains(flags[0].prefix { $0 != "=" }) || child.errors.text.contains(value))
  }

  @Test func `the version is one line`() async throws {
    let text = try await run([Self.program, "--version"])
    #expect(text.split(separator: "\n").count == 1)
    #expect(text.contains(#/\d+\.\d+/#))
  }

  @Test func `without accounting it does not print zeros`() async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.trackConnections(counting: false)
    let (status, output, errors) = try await start(["--count", "1", "--witness", "lookup"], in: namespace)
    #expect(status == .exited(69))
    #expect(output.isEmpty)
    #expect(errors.count == 1)
    #expect(errors.first?.contains("sysctl -w net.netfilter.nf_conntrack_acct=1") == true)
    #expect(errors.first?.contains("--enable-tracking") == true)
  }

  /// Runs a program where the kernel seems to have no sock_diag: socket(2) refuses netlink's protocol 4, by seccomp.
  private static let withoutDiagnostics = """
    import ctypes, os, struct, sys
    socket = {"x86_64": 41, "aarch64": 198}[os.uname().machine]
    steps = [(0x20, 0, 0, 0), (0x15, 0, 5, socket), (0x20, 0, 0, 16), (0x15, 0, 3, 16), (0x20, 0, 0, 32), (0x15, 0, 1, 4),
             (0x06, 0, 0, 0x50000 | 93), (0x06, 0, 0, 0x7fff0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code))
    if ctypes.CDLL(None).prctl(22, 2, program, 0, 0) != 0: sys.exit(99)
    os.execv(sys.argv[1], sys.argv[1:])
    """

  @Test(arguments: ["auto", "netlink"])
  func `without diagnostics of sockets it measures, and says what is missed`(source: String) async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.trackConnections()
    let wrapper = ["python3", "-c", Self.withoutDiagnostics]
    let (status, output, errors) = try await start(
      ["--source", source, "--count", "2", "--interval", "0.1", "--format", "json"], in: namespace,
      wrapper: wrapper)
    #expect(status == .exited(0))
    #expect(output.split(separator: "\n").count { $0.contains("\"event\":\"usage\"") } == 2)
    #expect(errors.count { $0.contains("`modprobe -a inet_diag tcp_diag udp_diag`") } == 1, "\(errors)")
    let doctor = try await start(["--doctor"], in: namespace, wrapper: wrapper)
    #expect(doctor.status == .exited(1))
    #expect(
      doctor.output.split(separator: "\n").contains { $0.hasPrefix("problem  sockets:") }, "\(doctor.output)")
  }

  @Test func `without tracking it says how to turn it on, and changes nothing by itself`() async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.setSysctl("net.netfilter.nf_conntrack_acct", to: "1")
    let (status, _, errors) = try await start(["--count", "1"], in: namespace)
    #expect(status == .exited(0))
    #expect(errors.count == 1)
    #expect(errors.first?.contains("--enable-tracking") == true)
    #expect(try await namespace.run("nft list ruleset").isEmpty)
  }

  @Test func `a kernel without a connection table is 69, with the module that has it`() async throws {
    let namespace = try await NetworkNamespace()
    // In the mount namespace that `ip netns exec` makes; the shell's pid is the program's.
    let without = ["sh", "-c", "mount -t tmpfs none /proc/$$/net && exec \"$@\"", "sh"]
    let (status, output, errors) = try await start(
      ["--count", "1", "--source", "procfs"], in: namespace, wrapper: without)
    #expect(status == .exited(69))
    #expect(output.isEmpty)
    #expect(errors.count == 1 && errors.first?.contains("modprobe nf_conntrack") == true)
  }

  @Test(arguments: ["auto", "netlink", "procfs"])
  func `a user without privilege is told the exact setcap line`(source: String) async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.trackConnections()
    let copy = try await CopyForEveryone(of: "runmonitor")
    let child = try namespace.start(
      [
        "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", copy.path, "--count", "1",
        "--source", source,
      ])
    #expect(try await child.ended() == .exited(77))
    #expect(child.output.text.isEmpty)
    #expect(child.complaints.count == 1)
    #expect(
      child.errors.text.contains(
        "setcap cap_net_admin,cap_dac_read_search,cap_sys_ptrace,cap_bpf,cap_perfmon+ep \(copy.path)"))
  }

  @Test func `without CAP_NET_ADMIN auto takes the table of procfs and says so`() async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.trackConnections()
    let without = ["setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin"]
    let (status, _, errors) = try await start(["--count", "1"], in: namespace, wrapper: without)
    #expect(status == .exited(0))
    #expect(
      errors.filter { $0.contains("is read from /proc") && $0.contains("Give cap_net_admin to") }.count == 1)
  }

  @Test func `root without CAP_NET_ADMIN is refused by netlink`() async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.trackConnections()
    let without = ["setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin"]
    let (status, output, errors) = try await start(
      ["--count", "1", "--source", "netlink"], in: namespace, wrapper: without)
    #expect(status == .exited(77))
    #expect(output.isEmpty)
    #expect(errors.count == 1)
    // Root is not told to be root.
    #expect(
      errors.first?.contains("Give cap_net_admin,") == true && errors.first?.contains("as root") == false)
  }

  @Test(.needs(.packets), arguments: ["bpf", "bpf-5.8", "auto"])
  func `a BPF program that may not be loaded is replaced, unless it is asked for by name`(witness: String)
    async throws
  {
    let namespace = try await NetworkNamespace()
    try await namespace.trackConnections()
    let capabilities = "-bpf,-perfmon,-sys_admin"
    let (status, output, errors) = try await start(
      ["--count", "1", "--format", "json", "--witness", witness], in: namespace,
      wrapper: ["setpriv", "--inh-caps=\(capabilities)", "--bounding-set=\(capabilities)"])
    let said = errors.filter {
      $0.contains("BPF programs may not be loaded: give cap_bpf,cap_perfmon to this container")
    }
    #expect(said.count == 1, "\(errors)")
    #expect(status == .exited(witness == "auto" ? 0 : 77) && output.isEmpty == (witness != "auto"))
    #expect(said.first?.contains("is looked up after the fact") == (witness == "auto"))
  }

  @Test func `enabling tracking needs the privilege too`() async throws {
    let namespace = try await NetworkNamespace()
    let without = ["setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin"]
    let (status, _, errors) = try await start(
      ["--count", "1", "--enable-tracking"], in: namespace, wrapper: without)
    #expect(status == .exited(77))
    #expect(errors.count == 1)
    #expect(try await namespace.run("nft list ruleset").isEmpty)
  }
}

/// A program where every user may run it, wherever the build lies.
struct CopyForEveryone: Sendable {
  let path: String
  private let folder: ScratchFolder

  init(of program: String) async throws {
    folder = try ScratchFolder()
    path = try await folder.copy(Program.path(program), as: program)
    // Its sensor is looked for beside it.
    if program == "runaggregator" { _ = try await folder.copy(Program.path("runmonitor"), as: "runmonitor") }
  }
}
