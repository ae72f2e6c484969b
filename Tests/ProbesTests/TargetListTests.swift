import INI
import Lab
import Model
import Probes
import Testing

/// Reads a text as the file `f`.
private func read(_ text: String) throws(INIError) -> TargetList {
  try TargetList(name: "f", bytes: text.utf8)
}

/// What a file says in one line: `host@line ping 500ms 10x41 ...`.
func shown(_ plans: [ProbePlan]) -> String {
  plans.map { plan in
    let parts = [
      "\(plan.host)@\(plan.line)",
      plan.ping.map { "ping \($0.interval.inMilliseconds) \($0.count)x\($0.payload)" },
      plan.trace.map {
        "trace \($0.interval.inMilliseconds) \($0.hops)"
          + ($0.hopTimeout == .seconds(1) ? "" : " \($0.hopTimeout.inMilliseconds)")
      },
      plan.scan.map { "scan \($0.interval.inMilliseconds)" },
      plan.connect.map { "connect \($0.interval.inMilliseconds) \($0.port)" },
      plan.usesJSON ? "json" : nil, plan.hasTimestamp ? nil : "no time",
    ]
    return parts.compactMap(\.self).joined(separator: " ")
  }.joined(separator: "|")
}

@Suite struct TargetListTests {
  @Test(arguments: [
    ("", ""), ("\n \t\n", ""), ("# only\n  # comments\n#", ""),
    ("a", "a@1 ping 500.0 10x41"),
    ("a\nb\n\nc", "a@1 ping 500.0 10x41|b@2 ping 500.0 10x41|c@4 ping 500.0 10x41"),
    // The line that the service's default file has.
    (
      "localhost trace=5000 scan=5000 json=True",
      "localhost@1 ping 500.0 10x41 trace 5000.0 30 scan 5000.0 json"
    ),
    ("h ping=0 trace=1", "h@1 trace 1.0 30"),
    ("h PING=250.5 NumPings=3 payload=0 hops=9", "h@1 ping 250.5 3x0"),
    ("h hops=255 trace=1.5 ping=0 scan=2.", "h@1 trace 1.5 255 scan 2.0"),
    ("h ping=0 trace=5 HopTimeout=250.5", "h@1 trace 5.0 30 250.5"),
    ("h ping=0 trace=5 hoptimeout=10 hops=2", "h@1 trace 5.0 2 10.0"),
    ("h ping=0 trace=5 hoptimeout=6e5", "h@1 trace 5.0 30 600000.0"),
    ("h ping=1e3", "h@1 ping 1000.0 10x41"), ("h ping=+1E+3", "h@1 ping 1000.0 10x41"),
    ("h ping=1.001", "h@1 ping 1.001 10x41"), ("h ping=31536000000", "h@1 ping 31536000000.0 10x41"),
    ("h ping=-0 scan=1", "h@1 scan 1.0"), ("h numpings=0", "h@1 ping 500.0 0x41"),
    ("h payload=65507 numpings=65535", "h@1 ping 500.0 65535x65507"),
    ("h json=1 timestamp=0", "h@1 ping 500.0 10x41 json no time"),
    ("h json=-7 timestamp=TRUE", "h@1 ping 500.0 10x41 json"),
    ("h json=fAlSe timestamp=False", "h@1 ping 500.0 10x41 no time"),
    (
      "  h\tping=1\u{a0}scan=2  \r\ni\rj\r\n",
      "h@1 ping 1.0 10x41 scan 2.0|i@2 ping 500.0 10x41|j@3 ping 500.0 10x41"
    ),
    ("\u{feff}h", "h@1 ping 500.0 10x41"),
    ("h ping=1 # scan=2", "h@1 ping 1.0 10x41"), ("h #scan=2", "h@1 ping 500.0 10x41"),
    ("h#scan=2", "h@1 ping 500.0 10x41"), ("h ping=1#000", "h@1 ping 1.0 10x41"),
    ("h\nh", "h@1 ping 500.0 10x41|h@2 ping 500.0 10x41"),
    ("Host.Example.", "Host.Example.@1 ping 500.0 10x41"), ("my_host-1", "my_host-1@1 ping 500.0 10x41"),
    ("bücher.example", "bücher.example@1 ping 500.0 10x41"), ("1.2.3.4", "1.2.3.4@1 ping 500.0 10x41"),
    ("127.1", "127.1@1 ping 500.0 10x41"), ("::1", "::1@1 ping 500.0 10x41"),
    ("2001:db8::1.2.3.4", "2001:db8::1.2.3.4@1 ping 500.0 10x41"),
    ("fe80::1%eth0", "fe80::1%eth0@1 ping 500.0 10x41"), ("ff02::1%2", "ff02::1%2@1 ping 500.0 10x41"),
  ])
  func `a line is a host and its options`(text: String, expected: String) throws {
    #expect(shown(try read(text).plans) == expected)
  }

  @Test(arguments: [
    (
      "h\n\nh bogus=1",
      "f:3: unknown option \"bogus\": the options are ping, numpings, payload, trace, hops, hoptimeout, scan, json, timestamp"
    ),
    ("h pign=1", "f:1: unknown option \"pign\" (did you mean ping?)"),
    ("h NUMPING=1", "f:1: unknown option \"NUMPING\" (did you mean numpings?)"),
    (
      "h other.example",
      "f:1: unknown option \"other.example\": a line has one host; the options are ping, numpings, payload, trace, hops, hoptimeout, scan, json, timestamp"
    ),
    ("h ping=1 trace", "f:1: \"trace\" has no value: write trace=5000, or remove it"),
    ("h JSON", "f:1: \"JSON\" has no value: write json=true, or remove it"),
    ("h ping = 1", "f:1: \"ping\" has no value: write ping=500, or remove it"),
    ("h =1", "f:1: the option before the = is missing: write option=value without spaces"),
    ("h ping=1 PING=2", "f:1: ping is given twice for \"h\": keep one of both"),
    ("h ping=1 ping=1", "f:1: ping is given twice for \"h\": keep one of both"),
    ("h ping=", "f:1: ping=\"\" must be a number of milliseconds, for example 5000, or 0 for never"),
    ("h ping=abc", "f:1: ping=\"abc\" must be a number of milliseconds, for example 5000, or 0 for never"),
    ("h scan=1=2", "f:1: scan=\"1=2\" must be a number of milliseconds, for example 5000, or 0 for never"),
    ("h scan=inf", "f:1: scan=\"inf\" must be a number of milliseconds, for example 5000, or 0 for never"),
    ("h scan=nan", "f:1: scan=\"nan\" must be a number of milliseconds, for example 5000, or 0 for never"),
    ("h scan=0x10", "f:1: scan=\"0x10\" must be a number of milliseconds, for example 5000, or 0 for never"),
    ("h scan=e", "f:1: scan=\"e\" must be a number of milliseconds, for example 5000, or 0 for never"),
    ("h scan=1e", "f:1: scan=\"1e\" must be a number of milliseconds, for example 5000, or 0 for never"),
    ("h trace=-1", "f:1: trace=\"-1\" must be 0 for never, or from 1 ms to a year"),
    ("h trace=1e99", "f:1: trace=\"1e99\" must be 0 for never, or from 1 ms to a year"),
    ("h trace=1e-9", "f:1: trace=\"1e-9\" must be 0 for never, or from 1 ms to a year"),
    ("h trace=1e999", "f:1: trace=\"1e999\" must be 0 for never, or from 1 ms to a year"),
    ("h numpings=1.5", "f:1: numpings=\"1.5\" must be a whole number from 0 to 65535"),
    ("h numpings=-1", "f:1: numpings=\"-1\" must be a whole number from 0 to 65535"),
    ("h payload=65508", "f:1: payload=\"65508\" must be a whole number from 0 to 65507"),
    ("h hops=0", "f:1: hops=\"0\" must be a whole number from 1 to 255"),
    (
      "h hops=99999999999999999999", "f:1: hops=\"99999999999999999999\" must be a whole number from 1 to 255"
    ),
    ("h hoptimeout=9.9", "f:1: hoptimeout=\"9.9\" must be from 10 to 600000 ms"),
    ("\nh hoptimeout=0", "f:2: hoptimeout=\"0\" must be from 10 to 600000 ms"),
    ("h hoptimeout=600001", "f:1: hoptimeout=\"600001\" must be from 10 to 600000 ms"),
    ("h hoptimeout=1s", "f:1: hoptimeout=\"1s\" must be from 10 to 600000 ms"),
    ("h hop_timeout=1", "f:1: unknown option \"hop_timeout\" (did you mean hoptimeout?)"),
    ("h hoptimeout", "f:1: \"hoptimeout\" has no value: write hoptimeout=1000, or remove it"),
    ("h json=yes", "f:1: json=\"yes\" must be true or false (or 1, 0)"),
    ("h timestamp=1.0", "f:1: timestamp=\"1.0\" must be true or false (or 1, 0)"),
    ("h\nh ping=0", "f:2: nothing is asked of \"h\": set ping, trace or scan to more than 0, in ms"),
    (
      "h ping=0 hops=3 trace=0 scan=0.0",
      "f:1: nothing is asked of \"h\": set ping, trace or scan to more than 0, in ms"
    ),
    ("ping=500 trace=1", "f:1: \"ping=500\" is an option, not a host: begin the line with the host"),
    ("http://h/", "f:1: \"http://h/\" is not a host name: write it without scheme and path"),
    ("h:80", "f:1: \"h:80\" names a port: write the host alone"),
    ("1::2::3", "f:1: \"1::2::3\" is not an IPv6 address: correct it"),
    ("[::1]", "f:1: \"[::1]\" has brackets: write the address without them"),
    ("10.0.0.256", "f:1: \"10.0.0.256\" is not an IPv4 address: each part is from 0 to 255"),
    ("a..b", "f:1: \"a..b\" has a dot too many: correct it"),
    (".", "f:1: \".\" has a dot too many: correct it"),
    ("a;b", "f:1: \"a;b\" is not a host name: it may have letters, digits, dots and hyphens"),
    ("a\u{1b}[2J", "f:1: \"a\\e[2J\" is not a host name: it may have letters, digits, dots and hyphens"),
    ("a\u{202e}", "f:1: \"a\\u{202e}\" is not a host name: it may have letters, digits, dots and hyphens"),
    (
      "fe80::1",
      "f:1: \"fe80::1\" is a link-local address (fe80::/10), which means nothing without its interface: write %eth0 behind it, with the interface that leads there"
    ),
    (
      "fe80::1%",
      "f:1: \"fe80::1%\" is a link-local address (fe80::/10), which means nothing without its interface: write %eth0 behind it, with the interface that leads there"
    ),
    (
      "::1%lo", "f:1: \"::1%lo\" names an interface, which is for link-local addresses (fe80::/10): write ::1"
    ),
    ("10.0.0.1%lo", "f:1: \"10.0.0.1%lo\" has a % behind what is no IPv6 address: correct it"),
    ("h\0", "f:1: the line has a NUL byte: is this a text file? Remove the byte"),
  ])
  func `an error names file and line and says what to do`(text: String, expected: String) {
    let error = #expect(throws: INIError.self) { try read(text) }
    #expect(error?.description == expected)
  }

  @Test func `a host and its parts have a greatest length`() throws {
    let part = String(repeating: "a", count: 63)
    let longest = "\(part).\(part).\(part).\(part.dropLast(2))"
    #expect(try read(longest).plans.first?.host == longest)
    #expect(throws: INIError.self) { try read(longest + "a") }
    #expect(throws: INIError.self) { try read(part + "a") }
    let error = #expect(throws: INIError.self) { try read(String(repeating: "x", count: 5000)) }
    #expect(error?.what.count ?? 0 < 150)
  }

  @Test(arguments: [[0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80]] as [[UInt8]])
  func `text that is not UTF-8 is refused with its line`(bytes: [UInt8]) {
    let error = #expect(throws: INIError.self) {
      try TargetList(name: "f", bytes: Array("a\nb".utf8) + bytes + Array("\nc".utf8))
    }
    #expect(error?.description == "f:2: the line is not UTF-8: convert the file with iconv(1)")
  }

  @Test func `a file and a line have a greatest length`() throws {
    let full = "h " + String(repeating: " ", count: TextLines.maximumLineLength - 2)
    #expect(try read(full).plans.count == 1)
    #expect(throws: INIError.self) { try read(full + " ") }
    let most = String(repeating: "\n", count: TextLines.maximumSize)
    #expect(try read(most).plans.isEmpty)
    let error = #expect(throws: INIError.self) { try read(most + "\n") }
    #expect(error?.description == "f:1: the file is longer than 1048576 bytes: shorten or split it")
  }

  @Test(arguments: [
    ("h\n\n # a\n# b", 3), ("h # a", 1), ("#", 1), ("h", nil), ("h#a", 1),
  ])
  func `comments are noted once, with the first line that has one`(text: String, line: Int?) {
    let warnings = (try? read(text))?.warnings ?? []
    #expect(warnings.map(\.code) == (line == nil ? [] : ["target_comment"]))
    #expect(warnings.allSatisfy { $0.isNote && $0.text.hasPrefix("f:\(line ?? 0): ") })
  }

  @Test func `random bytes never trap, and give an error with a line of the file`() {
    var random = SplitMix64(seed: 11)
    let pieces = [
      "h", "::1", "fe80::1", "%", "ping", "=", "0", "9", ".", "e", "-", "#", " ", "\n", "\r", "\t", "trace=1",
      "json=", "\0", "\u{e9}", "\u{301}", "\u{2028}",
    ]
    for _ in 0..<5000 {
      var bytes = (0..<Int.random(in: 0...20, using: &random))
        .flatMap { _ in Array(pieces.randomElement(using: &random).map(\.utf8) ?? "".utf8) }
      if Bool.random(using: &random) { bytes.append(UInt8.random(in: .min ... .max, using: &random)) }
      do {
        let list = try TargetList(name: "f", bytes: bytes)
        #expect(list.plans.allSatisfy { !$0.host.isEmpty && ($0.ping ?? .init(interval: .zero)).count >= 0 })
      } catch {
        #expect((1...bytes.count + 1).contains(error.line) && !error.what.isEmpty)
      }
    }
  }
}
