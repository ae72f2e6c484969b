import Testing

@testable import Ownership

@Suite struct ProcAccessTests {
  @Test(
    arguments: [
      ("proc /proc proc rw,relatime 0 0\n", nil, false),
      ("proc /proc proc rw,hidepid=invisible 0 0\n", "invisible", false),
      ("proc /proc proc rw,gid=4,hidepid=2 0 0\n", "2", false),
      ("proc /proc proc rw,hidepid=0 0 0\n", nil, false),
      ("proc /proc proc rw,hidepid=off 0 0\n", nil, false),
      ("proc /proc proc rw,subset=pid 0 0\n", nil, true),
      ("proc /srv/proc proc rw,hidepid=2 0 0\n", nil, false),
      ("tmpfs /proc tmpfs rw,hidepid=2 0 0\n", nil, false),
      ("proc /proc proc rw,hidepid=2 0 0\nproc /proc proc rw 0 0\n", nil, false),
      ("proc /proc proc rw 0 0\nproc /proc proc rw,hidepid=4,subset=pid 0 0", "4", true), ("", nil, false),
      ("proc /proc", nil, false),
    ] as [(String, String?, Bool)])
  func `mount options of procfs`(mounts: String, hidepid: String?, isPidOnly: Bool) {
    let visibility = ProcAccess(mounts: Array(mounts.utf8)[...], path: "/proc")
    #expect(visibility.hidepid == hidepid)
    #expect(visibility.isPidOnly == isPidOnly)
  }
}
