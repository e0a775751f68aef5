// node aibot.mjs URL BOT: what CloudBase's own client for bots makes of a server, as JSON.
import { AI } from "@cloudbase/ai";

const [url, botId] = process.argv.slice(2);
const i18n = { t: (text) => text, LANG_HEADER_KEY: "x-lang", lang: "en" };
const request = {
  async fetch({ url, method, headers, body, stream }) {
    const kept = Object.fromEntries(Object.entries(headers ?? {}).filter(([, value]) => value !== undefined));
    const answer = await fetch(url, { method: method.toUpperCase(), headers: { ...kept, "x-user-id": "alice" }, body });
    return { data: stream ? answer.body : answer.json(), header: answer.headers };
  },
};
const { bot } = new AI(request, `${url}/v1`, i18n);

async function all(stream) {
  const found = [];
  for await (const item of stream) found.push(item);
  return found;
}

const { conversationId } = await bot.createConversation({ botId });
const first = await bot.sendMessage({ botId, msg: "Hello", conversationId });
const text = (await all(first.textStream)).join("");
const second = await bot.sendMessage({ botId, msg: "again", conversationId });
const frames = await all(second.dataStream);
const records = await bot.getChatRecords({ botId, sort: "asc", pageSize: 10, pageNumber: 1, conversationId });
const recordId = records.recordList[1].recordId;
const feedback = { botId, recordId, type: "upvote", comment: "good", rating: 5, tags: [], input: "", aiAnswer: "" };
await bot.sendFeedback({ userFeedback: feedback });
const info = await bot.get({ botId });
const feedbacks = await bot.getFeedback({ botId, type: "upvote" });
const conversations = await bot.getConversation({ botId, pageSize: 10, pageNumber: 1 });
const deleted = await bot.deleteConversation({ botId, conversationId });
const questions = await bot.getRecommendQuestions({ botId, msg: "hi", history: [] });
const recommended = (await all(questions.textStream)).join("");
const spoken = await bot.textToSpeech({ botId, voiceType: 1, text: "hi" });
const speech = await bot.getTextToSpeechResult({ botId, taskId: spoken.TaskId });
let refused = null;
try {
  await bot.speechToText({ botId, engSerViceType: "16k_zh", voiceFormat: "mp3", url: "https://x.test/a.mp3" });
} catch (error) {
  refused = error.message;
}
let unknown = null;
try {
  await bot.get({ botId: "ibot-nobody-v1" });
} catch (error) {
  unknown = error.message;
}
console.log(
  JSON.stringify({ text, frames, records, info, feedbacks, conversations, deleted, recommended, speech, refused, unknown }),
);
