import Model
import SystemPackage
import Testing

@testable import Kernel

@Suite struct PreflightTests {
  @Test(arguments: [
    (94, 100, false), (95, 100, true), (100, 100, true), (0, 10, false), (9, 10, false), (10, 10, true),
    (0, 1, false), (1, 1, true), (18, 19, false), (19, 19, true), (249_036, 262_144, false),
    (249_037, 262_144, true), (5, 0, false), (0, Int.max, false),
  ])
  func `a table is nearly full from 95 percent on, also a small one`(count: Int, limit: Int, isFull: Bool) {
    #expect((Warning.tableNearlyFull(count: count, limit: limit) != nil) == isFull)
  }

  @Test func `the sentence of a full table says what to set`() throws {
    let warning = try #require(Warning.tableNearlyFull(count: 65_536, limit: 65_536))
    #expect(warning.code == "table_full")
    #expect(
      warning.text == "the connection table holds 65536 of 65536 entries, so the kernel drops or forgets "
        + "connections: raise it with `sysctl -w net.netfilter.nf_conntrack_max=131072`.")
  }

  @Test(arguments: [Errno.noMemory, .ioError, .noBufferSpace, .noSpace, .tooManyOpenFiles])
  func `what the machine lacks is not to be reported as a bug`(errno: Errno) {
    let text = KernelError.failed("reading x", errno).description
    #expect(text.hasPrefix("reading x: ") && !text.contains("report"), "\(text)")
  }

  @Test func `what makes no sense is to be reported`() {
    #expect(KernelError.failed("reading x", .invalidArgument).description.contains("please report"))
  }

  @Test func `the advice names this program`() {
    #expect(KernelError.setcap.hasPrefix("setcap cap_net_admin,"))
    #expect(KernelError.setcap.contains(" /"))
  }
}
