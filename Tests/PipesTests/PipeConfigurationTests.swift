import INI
import Model
import Netfilter
import Testing

@testable import Pipes

@Suite struct PipeConfigurationTests {
  private func section(_ text: String) throws -> INISection {
    let file = try INIFile(name: "monitors.cfg", bytes: Array(("[test]\n" + text).utf8))
    return try #require(file.sections.first)
  }

  @Test func `the predecessor's sample is understood, its regular expression with a warning`() throws {
    let pipe = try PipeConfiguration(
      section: section("type=pipe\nport=8080\nnewhost=khan\\.thpinfo\\.com\nnewport=80\nshape_threshold=100"))
    #expect(pipe.port == 8080)
    #expect(pipe.host == "khan.thpinfo.com")
    #expect(pipe.remotePort == 80)
    #expect(pipe.bind == nil)
    #expect(pipe.name == "pipe-8080:khan.thpinfo.com:80")
    #expect(pipe.receivedLimit == .bytesPerSecond(102_400))
    #expect(pipe.sentLimit == .bytesPerSecond(102_400))
    #expect(pipe.warnings.map(\.code) == ["escaped_host"])
    #expect(
      pipe.warnings[0].text.hasPrefix("monitors.cfg:4: newhost=khan\\.thpinfo\\.com is a regular expression"))
  }

  @Test func `what is not given has its usual value`() throws {
    let pipe = try PipeConfiguration(section: section("type=pipe\nport=25\nnewhost=mail"))
    #expect(pipe.remotePort == 25)
    #expect(pipe.receivedLimit == nil)
    #expect(pipe.sentLimit == nil)
    #expect(pipe.warnings.isEmpty)
    #expect(pipe.idleTimeout == nil)
    #expect(pipe.listening == Endpoint(address: .anyV6, port: 25))
  }

  @Test(
    arguments: [
      ("0", nil), ("1", 1024.0), ("1.5", 1536), ("100k", 102_400), ("2M", 2_097_152),
    ] as [(String, Double?)])
  func `shape_threshold is in kB of 1024 bytes a second`(text: String, limit: Double?) throws {
    let pipe = try PipeConfiguration(
      section: section("type=pipe\nport=1\nnewhost=h\nshape_threshold=\(text)"))
    #expect(pipe.sentLimit?.bytesPerSecond == limit)
    #expect(pipe.receivedLimit == pipe.sentLimit)
  }

  @Test func `times and the limit of connections have keys too, and warnings name them`() throws {
    let pipe = try PipeConfiguration(
      section: section(
        "type=pipe\nport=1\nnewhost=h\nmax_conn=7\nconnect_timeout=0.5\nidle_timeout=60\nfin_timeout=5"))
    #expect(pipe.maxConnections == 7)
    #expect(pipe.connectTimeout == .milliseconds(500))
    #expect(pipe.idleTimeout == .seconds(60))
    #expect(pipe.finTimeout == .seconds(5))
    #expect(pipe.setting("--fin-timeout") == "fin_timeout")
    #expect(PipeConfiguration(port: 1, host: "h", remotePort: 1).setting("--fin-timeout") == "--fin-timeout")
  }

  @Test(arguments: ["127.0.0.1", "::1", "10.77.1.1"])
  func `bind is an address`(text: String) throws {
    let pipe = try PipeConfiguration(section: section("type=pipe\nport=1\nnewhost=h\nbind=\(text)"))
    #expect(pipe.bind?.description == text)
  }

  @Test(
    arguments: [
      ("[::1]", "::1", nil), ("fe80::1%eth0", "fe80::1", "eth0"), ("[fe80::1%3]", "fe80::1", "3"),
    ] as [(String, String, String?)])
  func `an address may have brackets, a link-local one names its interface`(
    text: String, address: String, interface: String?
  ) throws {
    let pipe = try PipeConfiguration(
      section: section("type=pipe\nport=1\nnewhost=[fe80::2%v0]\nbind=\(text)"))
    #expect(pipe.bind?.description == address && pipe.bindInterface == interface)
    #expect(pipe.host == "fe80::2%v0" && pipe.warnings.isEmpty)
  }

  @Test(arguments: [
    ("fe80::1", "write fe80::1%eth0"), ("fe80::1%", "write fe80::1%eth0"), ("::1%eth0", "write ::1"),
    ("[::1", "must be an address"), ("eth0", "must be an address"), ("", "must be an address"),
    ("%eth0", "must be an address"),
  ])
  func `an address to listen on that cannot be used says what to write`(text: String, words: String) {
    let problem = #expect(throws: BindAddress.Problem.self) { try BindAddress(text) }
    #expect(problem?.reason.contains(words) == true)
  }

  @Test(arguments: [("eth0", "eth1", false), ("eth0", "eth0", true)])
  func `link-local addresses are in one place on one interface only`(
    first: String, second: String, isTaken: Bool
  ) throws {
    let pipes = try [first, second].map {
      try PipeConfiguration(section: section("type=pipe\nport=1\nnewhost=h\nbind=fe80::1%\($0)"))
    }
    var isRefused = false
    do throws(PipeError) { try PipeConfiguration.check(pipes) } catch { isRefused = true }
    #expect(isRefused == isTaken)
  }

  @Test(arguments: [
    ("type=pipe\nnewhost=h", "monitors.cfg:1: [test] needs port"),
    ("type=pipe\nport=80", "monitors.cfg:1: [test] needs newhost"),
    ("type=pipe\nport=0\nnewhost=h", "monitors.cfg:3: port=\"0\" must be a whole number from 1 to 65535"),
    ("type=pipe\nport=65536\nnewhost=h", "monitors.cfg:3: port="),
    ("type=pipe\nport=80\nnewhost=h\nnewport=x", "monitors.cfg:5: newport="),
    ("type=pipe\nport=80\nnewhost=h\nbind=eth0", "monitors.cfg:5: bind=eth0 must be an address"),
    ("type=pipe\nport=80\nnewhost=h\nshape_threshold=fast", "monitors.cfg:5: shape_threshold="),
    (
      "type=pipe\nport=80\nnewhost=web:8080",
      "monitors.cfg:4: newhost=web:8080 names a port too: give the host and the port apart, `web` and `8080`"
    ),
    ("type=pipe\nport=80\nnewhost=h\nmax_conn=0", "monitors.cfg:5: max_conn=\"0\" must be a whole number"),
    (
      "type=pipe\nport=80\nnewhost=h\nidle_timeout=0",
      "monitors.cfg:5: idle_timeout=\"0\" must be from 0.01 to"
    ),
    ("type=pipe\nport=80\nnewhost=h\nfin_timeout=5 m", "monitors.cfg:5: fin_timeout="),
    ("type=pipe\nport=80\nnewhost=a b", "monitors.cfg:4: newhost=a b is no host name"),
    ("type=pipe\nport=80\nnewhost=a\\b", "monitors.cfg:4: newhost=a\\b is no host name"),
    ("type=pipe\nport=80\nnewhost=[::1", "monitors.cfg:4: newhost=[::1 has brackets"),
    ("type=pipe\nport=80\nnewhost=::1]", "monitors.cfg:4: newhost=::1] has brackets"),
    ("type=pipe\nport=80\nnewhost=[[::1]]", "monitors.cfg:4: newhost=[::1] has brackets"),
    ("type=pipe\nport=80\nnewhost=web[1-3]", "monitors.cfg:4: newhost=web[1-3] has brackets"),
    (
      "type=pipe\nport=80\nnewhots=h",
      "monitors.cfg:4: unknown key \"newhots\" in [test] (did you mean newhost?)"
    ),
    ("type=pipe\nport=80\nnewhost=", "monitors.cfg:4: newhost is empty"),
  ])
  func `a wrong section is an error with its line`(text: String, message: String) throws {
    let section = try section(text)
    let error = #expect(throws: INIError.self) { try PipeConfiguration(section: section) }
    #expect(error?.description.hasPrefix(message) == true, "\(error?.description ?? "")")
  }

  @Test(arguments: [
    ("100", 100.0), ("1", 1), ("100k", 102_400), ("100K", 102_400), ("1.5M", 1_572_864),
    ("2g", 2_147_483_648),
    ("2G", 2_147_483_648), ("0.5k", 512),
  ])
  func `a rate is bytes a second, k being 1024`(text: String, bytes: Double) {
    #expect(Rate(limit: text)?.bytesPerSecond == bytes)
  }

  @Test(arguments: [
    "", "0", "k", "-1", "+1", "1e3", "inf", "nan", "10kb", "10 k", "1..2", "0.5", "99999999G", "１０",
  ])
  func `what is no rate is refused`(text: String) {
    #expect(Rate(limit: text) == nil)
  }

  @Test(arguments: [
    ("fe80::1", true), ("fe80::1%eth0", false), ("febf::1%3", false), ("fec0::1", false), ("fd00::1", false),
    ("169.254.0.1", false), ("host", false), ("::1", false),
  ])
  func `a link-local address needs its interface`(host: String, isRefused: Bool) {
    #expect((PipeConfiguration.reasonNotAHost(host)?.contains("link-local") ?? false) == isRefused)
  }

  @Test(arguments: [
    ("host", "host"), ("a\\.b\\.c", "a.b.c"), ("a\\\\.b", "a\\\\.b"), ("a\\", "a\\"), ("a\\b", "a\\b"),
    ("", ""),
    ("\\.", "."),
  ])
  func `only escaped dots lose their backslash`(text: String, plain: String) {
    #expect(PipeConfiguration.unescaped(text) == plain)
  }
}

@Suite struct LoopCheckTests {
  /// A listener on `::` that is for IPv4 as well.
  private static let both = ":: 80+0.0.0.0 80"

  private static func endpoint(_ text: some StringProtocol) -> Endpoint {
    let parts = text.split(separator: " ")
    return Endpoint(address: IPAddress(parts[0]) ?? .anyV6, port: UInt16(parts[1]) ?? 0)
  }

  @Test(arguments: [
    (":: 80", "127.0.0.1 80", false), (":: 80", "0.0.0.0 80", false), (":: 80", "::1 80", true),
    (":: 80", ":: 80", true), ("127.0.0.1 80", ":: 80", false),
    (both, "127.0.0.1 80", true), (both, "::1 80", true), (both, "10.0.0.1 80", true),
    (both, "fd00::1 80", true), (both, "0.0.0.0 80", true), (both, "127.9.9.9 80", true),
    (both, "10.0.0.2 80", false), (both, "127.0.0.1 81", false), ("0.0.0.0 80", "127.0.0.1 80", true),
    ("0.0.0.0 80", "::1 80", false), ("127.0.0.1 80", "127.0.0.1 80", true),
    ("127.0.0.1 80", "127.0.0.2 80", false),
    ("127.0.0.1 80", "10.0.0.1 80", false), ("127.0.0.1 80", "0.0.0.0 80", true),
    ("10.0.0.1 80", "10.0.0.1 80", true),
    ("10.0.0.1 80", "127.0.0.1 80", false), ("10.0.0.1 80", "0.0.0.0 80", false),
  ])
  func `a pipe must not lead to itself`(listening: String, target: String, isLoop: Bool) {
    let local = LocalAddresses(["10.0.0.1", "fd00::1"].compactMap { IPAddress($0) })
    let check = LoopCheck(listening: listening.split(separator: "+").map { Self.endpoint($0) }, local: local)
    let other = Endpoint(address: IPAddress(v4: 0x0808_0808), port: 80)
    #expect(check.loop(in: [other, Self.endpoint(target)]) == (isLoop ? Self.endpoint(target) : nil))
  }
}
