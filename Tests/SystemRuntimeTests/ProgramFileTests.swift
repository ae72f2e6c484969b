import Foundation
import Lab
import SystemRuntime
import Testing

@Suite struct ProgramFileTests {
  @Test func `a program is found as it is run`() throws {
    let folder = try ScratchFolder()
    let other = try ScratchFolder()
    let good = try folder.write("#!/bin/sh\n", to: "good")
    try folder.write("x", to: "bad")
    try other.write("x", to: "good")
    let isSet = [FileAttributeKey.posixPermissions: 0o755]
    try FileManager.default.setAttributes(isSet, ofItemAtPath: good)
    try FileManager.default.createDirectory(
      atPath: folder.path + "/folder", withIntermediateDirectories: false)
    let path = "/nonexistent:\(other.path):\(folder.path)"
    // One that may not be run is passed over.
    #expect(ProgramFile.find("good", path: path) == .executable)
    #expect(ProgramFile.find("good", path: other.path) == .notExecutable)
    #expect(ProgramFile.find("bad", path: path) == .notExecutable)
    #expect(ProgramFile.find("folder", path: path) == .notExecutable)
    #expect(ProgramFile.find("none", path: path) == .missing)
    #expect(ProgramFile.find("", path: path) == .missing)
    #expect(ProgramFile.find(good, path: "") == .executable)
    #expect(ProgramFile.find(folder.path + "/none", path: path) == .missing)
    #expect(ProgramFile.find("sh") == .executable)
  }
}
