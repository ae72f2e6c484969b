import Foundation
import Lab
import SystemPackage
import SystemRuntime
import Testing

@Suite struct OwnFolderTests {
  private let scratch: ScratchFolder

  init() throws { scratch = try ScratchFolder() }

  private var folder: String { "\(scratch.path)/own" }

  /// A second descriptor of what is open of the folder, as a child has from fork(2) until it runs its own program.
  private func inherited() throws -> FileDescriptor {
    let numbers = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap(CInt.init)
    let place = URL(filePath: folder).resolvingSymlinksInPath().path
    let own = numbers.filter {
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == place
    }
    return try FileDescriptor(rawValue: #require(own.first)).duplicate()
  }

  @Test func `a folder has one owner, and is free when that one goes, whatever a child still has open`()
    throws
  {
    var owner: OwnFolder? = try OwnFolder(folder)
    let child = try inherited()
    #expect(throws: Errno.wouldBlock) { _ = try OwnFolder(folder) }
    #expect(owner?.path == folder)
    owner = nil
    let next = try OwnFolder(folder)
    #expect(throws: Errno.wouldBlock) { _ = try OwnFolder(folder) }
    try child.close()
    withExtendedLifetime(next) {}
  }
}
