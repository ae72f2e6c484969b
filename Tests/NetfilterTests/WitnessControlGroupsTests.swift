import Foundation
import SystemRuntime
import Testing

@testable import Netfilter

@Suite struct WitnessControlGroupsTests {
  private func inode(_ path: String) throws -> UInt64 { try OpenFile(path, isFolder: true).status().inode }

  @Test func `a group is found by its folder's inode, a later one as well`() throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "groups-\(UUID().uuidString)").path
    func make(_ path: String) throws {
      try FileManager.default.createDirectory(atPath: root + path, withIntermediateDirectories: true)
    }
    try make("/system.slice/nginx.service")
    defer { try? FileManager.default.removeItem(atPath: root) }
    #expect(FileManager.default.createFile(atPath: root + "/cgroup.procs", contents: nil))
    var groups = ControlGroups(root: root)
    let service = try inode(root + "/system.slice/nginx.service")
    #expect(groups.path(of: service) == "/system.slice/nginx.service")
    #expect(groups.path(of: try inode(root + "/system.slice")) == "/system.slice")
    let file = try OpenFile(root + "/cgroup.procs").status().inode
    #expect(groups.path(of: file) == nil)
    #expect(groups.path(of: .max) == nil)
    try make("/system.slice/redis.service")
    #expect(
      groups.path(of: try inode(root + "/system.slice/redis.service")) == "/system.slice/redis.service")
    #expect(groups.path(of: service) == "/system.slice/nginx.service")
  }

  @Test func `where there is no version 2 nothing is known`() {
    var groups = ControlGroups(root: nil)
    #expect(groups.path(of: 1) == nil)
  }
}
