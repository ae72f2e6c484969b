import SystemPackage
import Testing

@testable import SystemRuntime

@Suite struct KernelErrorTests {
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
