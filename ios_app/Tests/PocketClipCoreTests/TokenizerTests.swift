import XCTest

@testable import PocketClipCore

final class TokenizerTests: XCTestCase {
    func testCaptionsInBothVocabularies() throws {
        let captions = try GoldenFiles.json("captions.json")["captions"].items
        XCTAssertGreaterThanOrEqual(captions.count, 200)
        for (name, length) in [("full", 77), ("pruned", 32)] {
            let tokenizer = try GoldenFiles.tokenizer(name)
            for caption in captions {
                let text: String = try caption.read("text")
                let wanted: [Int] = try caption.read(name)
                assertIds(tokenizer(text), wanted, length, "\(name): \(text.debugDescription)")
            }
        }
    }

    func testOpenCLIPsOwnIds() throws {
        let tokenizer = try GoldenFiles.tokenizer("full")
        let cases = try GoldenFiles.json("tokenizer_reference.json").items
        XCTAssertGreaterThanOrEqual(cases.count, 30)
        for each in cases {
            let text: String = try each.read("text")
            assertIds(tokenizer(text), try each.read("ids"), 77, text.debugDescription)
        }
    }

    func testAPrunedVocabularyThatLacksBytesIsRefused() throws {
        let spec = try TokenizerSpec(json: GoldenFiles.json("tokenizer_pruned.json"), at: "spec")
        let merges = try GoldenFiles.tensor(spec.merges)
        let kept = try GoldenFiles.tensor(XCTUnwrap(spec.keptIds))
        guard case .uint16(var ids) = kept.values else { return XCTFail("kept ids are not uint16") }
        ids[3] = ids[4]
        let fault = failure {
            _ = try Tokenizer(spec, merges: merges, keptIds: Tensor(shape: [ids.count], values: .uint16(ids)))
        }
        XCTAssertTrue(fault?.message.contains("kept_ids") == true, "\(String(describing: fault))")
    }

    func testAMergeOfLaterIdsIsRefused() throws {
        let spec = try TokenizerSpec(json: GoldenFiles.json("tokenizer_full.json"), at: "spec")
        guard case .uint16(var parts) = try GoldenFiles.tensor(spec.merges).values else { return XCTFail("merges") }
        parts[0] = 512
        let fault = failure {
            _ = try Tokenizer(
                spec, merges: Tensor(shape: [parts.count / 2, 2], values: .uint16(parts)), keptIds: nil)
        }
        XCTAssertTrue(fault?.message.contains("comes after it") == true, "\(String(describing: fault))")
    }

    func testTemplatesWithArticles() {
        let templates = PromptTemplates(
            name: "t", texts: ["a {} here", "{} and a owl", "data {}"], articles: .english)
        XCTAssertEqual(templates.prompts(for: "apple"), ["an apple here", "apple and an owl", "data apple"])
        let asWritten = PromptTemplates(name: "t", texts: ["a {}", "{}, {}"], articles: .asWritten)
        XCTAssertEqual(asWritten.prompts(for: "apple"), ["a apple", "apple, apple"])
    }

    func testLabelsAsTyped() throws {
        XCTAssertEqual(try LabelList.parse(" a cat,a dog\n a cow ,,"), ["a cat", "a dog", "a cow"])
        XCTAssertEqual(failure { _ = try LabelList.parse(" , ") }, .labels(.none))
        XCTAssertEqual(failure { _ = try LabelList.parse("a,b,a") }, .labels(.repeated("a")))
    }

    private func assertIds(_ found: Tensor, _ wanted: [Int], _ length: Int, _ words: String) {
        XCTAssertEqual(found.shape, [1, length])
        let padded = wanted + [Int](repeating: 0, count: length - wanted.count)
        XCTAssertEqual(found.values, .int32(padded.map(Int32.init)), words)
    }
}
