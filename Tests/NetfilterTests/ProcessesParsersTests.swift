import Lab
import Testing

@testable import Netfilter

@Suite struct ProcessesParsersTests {
  static let tail =
    " 1 1 0 -1 4194304 100 0 0 0 0 0 0 0 20 0 1 0 116917 3133440 373 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0"
    + " 17 12 0 0 0\n"

  @Test(arguments: [
    ("cat", "cat"), ("a b", "a b"), (")", ")"), ("((", "(("), (") S 1 (", ") S 1 ("), ("", ""), ("\n", "\n"),
    ("x) R 7 7\n", "x) R 7 7\n"), ("\u{1}", "\u{1}"), ("kworker/0:1-events", "kworker/0:1-events"),
  ])
  func `stat is read behind the last parenthesis`(name: String, expected: String) throws {
    let stat = try #require(ProcessStat(Array("9153 (\(name)) R 9143\(Self.tail)".utf8)[...]))
    #expect(stat.name == expected)
    #expect(stat.parent == 9143)
    #expect(stat.startTime == 116_917)
    #expect(!stat.isDead)
  }

  @Test func `a name that is not UTF-8 is repaired`() throws {
    let text = Array("1 (".utf8) + [0xff, 0x61, 0xc3] + Array(") Z 0\(Self.tail)".utf8)
    let stat = try #require(ProcessStat(text[...]))
    #expect(stat.name == "\u{fffd}a\u{fffd}")
    #expect(stat.isDead)
    #expect(stat.parent == 0)
  }

  @Test func `no prefix of stat gives a wrong number`() {
    let text = Array("9153 (a) b) R 9143\(Self.tail)".utf8)
    for length in 0...text.count {
      guard let stat = ProcessStat(text[..<length]) else { continue }
      #expect(stat.startTime == 116_917 && stat.parent == 9143 && stat.name == "a) b", "\(length) bytes")
    }
  }

  @Test func `mutations of stat are survived`() {
    var mutations = SplitMix64(seed: 13)
    let text = Array("9153 (a) b) R 9143\(Self.tail)".utf8)
    var refused = 0
    for _ in 0..<10_000 where ProcessStat(mutations.mutate(text)[...]) == nil { refused += 1 }
    #expect(refused > 0 && refused < 10_000)
  }

  @Test(arguments: [
    "", "1", "1 (a", "1 a) R 1", "1 )a( R 1", "1 (a) R", "1 (a) R 1 1 1 0 -1", "1 (a) RR 9143\(tail)",
    "1 (a) R x\(tail)", "1 (a) R 99999999999\(tail)", "1 (a) R -1\(tail)",
  ])
  func `what is no stat is refused`(text: String) {
    #expect(ProcessStat(Array(text.utf8)[...]) == nil)
  }

  @Test(
    arguments: [
      ("Name:\tx\nUid:\t1000\t0\t0\t0\n", 1000), ("Uid:\t4294967295\t0", .max), ("Uid: 7", 7),
      ("Uid:\tx", nil), ("Uid:", nil),
      ("Name:\tUid:\\n5\nGid:\t5\n", nil), ("", nil), ("Uid:\t4294967296\t0", nil),
    ] as [(String, UInt32?)])
  func `the real user`(text: String, uid: UInt32?) {
    #expect(ProcessStatus.realUser(Array(text.utf8)[...]) == uid)
  }

  @Test(arguments: [
    ("a\0b\0", ["a", "b"], "a b"), ("a", ["a"], "a"), ("a\0\0b\0", ["a", "", "b"], "a  b"),
    ("nginx: master process x\0\0\0\0", ["nginx: master process x"], "nginx: master process x"),
    ("\0a\0", ["", "a"], " a"), ("a b\0c", ["a b", "c"], "a b c"),
    ("\u{1}\0\n\0", ["\u{1}", "\n"], "\u{1} \n"),
    ("äöü\0", ["äöü"], "äöü"),
  ])
  func `command lines`(bytes: String, arguments: [String], text: String) throws {
    let line = try #require(CommandLine(Array(bytes.utf8)[...]))
    #expect(line.arguments == arguments)
    #expect(line.text == text)
  }

  @Test(arguments: ["", "\0", "\0\0\0"])
  func `nothing is no command line`(bytes: String) {
    #expect(CommandLine(Array(bytes.utf8)[...]) == nil)
  }

  @Test func `bytes that are not UTF-8 are replaced`() throws {
    let line = try #require(CommandLine([0x61, 0xff, 0, 0xc3][...]))
    #expect(line.arguments == ["a\u{fffd}", "\u{fffd}"])
    #expect(line.text == "a\u{fffd} \u{fffd}")
  }

  @Test func `only the leading arguments are kept apart`() throws {
    let line = try #require(CommandLine(Array(String(repeating: "x\0", count: 100).utf8)[...]))
    #expect(line.arguments == Array(repeating: "x", count: 32))
    #expect(line.text.utf8.count == 199)
  }

  @Test(
    arguments: [
      ("socket:[123]", 123), ("socket:[0]", 0), ("socket:[18446744073709551615]", .max),
      ("socket:[18446744073709551616]", nil), ("socket:[]", nil), ("socket:[12", nil), ("socket:[1a]", nil),
      ("pipe:[123]", nil), ("/tmp/socket:[1]", nil), ("socket:[1] (deleted)", nil), ("", nil),
      ("socket:[-1]", nil),
    ] as [(String, UInt64?)])
  func `links to sockets`(target: String, inode: UInt64?) {
    #expect(SocketLink.inode(Array(target.utf8)[...]) == inode)
  }
}
