import Testing

@testable import Program

@Suite struct StateFolderTests {
  @Test(
    arguments: [
      (["/s", "/var/lib/x", "root", nil, "/root"], "/s"),
      ([nil, "/var/lib/x", "root", nil, "/root"], "/var/lib/x"),
      ([nil, "/var/lib/x:/var/lib/y", nil, nil, nil], "/var/lib/x"),
      ([nil, nil, "root", "/state", "/root"], "/var/lib/bwmon/netconnmon"),
      ([nil, "", "root", nil, "/root"], "/var/lib/bwmon/netconnmon"),
      ([nil, nil, nil, "/state", "/home/u"], "/state/bwmon/netconnmon"),
      ([nil, nil, nil, "relative", "/home/u"], "/home/u/.local/state/bwmon/netconnmon"),
      ([nil, nil, nil, nil, "/home/u"], "/home/u/.local/state/bwmon/netconnmon"),
      ([nil, nil, nil, nil, nil], nil),
    ] as [([String?], String?)])
  func `reports wait where they were told to, else where such things are`(given: [String?], path: String?) {
    #expect(
      StateFolder.path(
        of: "netconnmon",
        named: given[0], stateDirectory: given[1], isRoot: given[2] != nil, stateHome: given[3],
        home: given[4]) == path)
  }
}
