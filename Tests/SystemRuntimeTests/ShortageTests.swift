import SystemPackage
import SystemRuntime
import Testing

@Suite struct ShortageTests {
  @Test(
    arguments: [
      (.tooManyOpenFiles, true, "LimitNOFILE="), (.tooManyOpenFilesInSystem, true, "fs.file-max"),
      (.noMemory, true, "Free memory"), (.noBufferSpace, true, "Free memory"),
      (.noSpace, true, "max_user_watches"), (.connectionRefused, false, ""), (.timedOut, false, ""),
      (.hostIsDown, false, ""), (.noRouteToHost, false, ""), (.addressNotAvailable, false, ""),
    ] as [(Errno, Bool, String)])
  func `a shortage of ours is none of the target's`(error: Errno, isOurs: Bool, remedy: String) {
    #expect(error.isShortage == isOurs)
    if isOurs { #expect(error.remedy(limit: nil).contains(remedy)) }
  }

  @Test func `what to do about ports is said by who knows that there is none`() {
    #expect(Errno.addressNotAvailable.remedy(limit: nil).contains("net.ipv4.ip_local_port_range"))
  }
}
