"""Requests as people type them to an agent, in a line: tasks, and what needs no skill.

Data sets hold whole sentences for the most part, and few requests that need nothing. Written for
this project, with no library in view: which skill a task needs is not known, only that it asks for
work of a kind that skills are written for. Neither good manners nor a question mark tell whether a
skill is needed, so all of them are said politely as well.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

__all__ = ["ANSWERED", "ASKED", "IDLE", "MENTIONED", "TASKS", "asked"]

# How tasks are asked for, what needs no skill is mentioned, and a turn of a conversation is put.
ASKED = (
    "can you {}?",
    "can you please {}",
    "could you {}?",
    "could you {} for me?",
    "I'd like you to {}",
    "I would like to {}",
    "I need you to {}",
    "please {}",
    "help me {}",
    "hey, {}",
    "would you {}?",
    "how can I {}?",
    "{}, please",
)
MENTIONED = (
    "hey, {}",
    "can you tell me, {}?",
    "could you tell me: {}?",
    "quick question: {}?",
    "by the way, {}",
    "I'd like to know: {}",
    "please, {}",
    "{}, please",
)
ANSWERED = (
    "{}, please",
    "{} please",
    "please {}",
    "can you {}?",
    "could you {}?",
    "I'd like you to {}",
    "hey, {}",
)

TASKS = tuple(
    line.strip()
    for line in """
    clean up this mailing list, half the addresses are garbage
    cut the silences out of this podcast episode
    make a logo for my bakery
    what should this landing page say above the fold
    why does the build die with out of memory on the runner
    my react page rerenders like crazy, find out why
    add dark mode to the settings screen
    write me a cover letter for this job ad
    can you proofread chapter 3
    rewrite this so that it sounds less like a robot
    check if these two contracts differ
    pull the numbers out of these bank statements
    which of our pages rank for nothing, do an seo audit
    set up eslint and prettier here
    need tests for the payment module
    port this script from bash to python
    dockerize this thing
    our docker image is 3 gb, get it down
    deploy to fly.io please
    get me a staging environment on aws
    terraform for an s3 bucket with versioning
    helm chart for the api
    the cronjob in the cluster never fires
    set up alerts for when the queue backs up
    look at the grafana dashboard and tell me what spiked last night
    postmortem for yesterdays outage
    query is slow, here is the explain output
    normalize this schema
    backfill the new column without locking the table
    move us from mysql to postgres
    turn this csv into a nice chart
    forecast next quarter from this sheet
    is the difference between the two ad variants real
    segment our customers
    scrape the prices off this shop every morning
    summarize these 12 papers
    find me related work on graph sampling
    make bibtex entries out of these links
    convert the thesis from word to latex
    poster for the conference, A0
    pitch for investors, ten slides tops
    redo the speaker notes
    storyboard for a 30 second ad
    thumbnail ideas and a title for my next video
    transcribe this interview, two speakers
    translate the menu into english and german
    localize the app strings for brazil
    teach me how to solder by a lesson plan of four evenings
    quiz for my 7th graders about photosynthesis
    flashcards from this chapter
    meal plan for two vegetarians, 1800 kcal
    training plan for a half marathon in october
    plan five days in lisbon with a toddler
    compare these three health insurances
    help me sort out my taxes from these receipts
    budget spreadsheet for a family of four
    invoice for 12 hours at 90 euros
    draft an nda for a freelancer
    is this clause in my lease even legal
    gdpr check on our signup form
    threat model for the login flow
    scan the repo for leaked keys
    harden this nginx config
    are any of our dependencies vulnerable
    someone is brute forcing our ssh, what do the logs say
    reverse engineer this binary
    review this smart contract before we deploy
    audit accessibility of the checkout
    alt texts for all of these pictures
    remove the background from these product shots
    vectorize my sketch
    upscale these old family photos
    icon set in one style, 24px
    design tokens out of this figma file
    make the hero section pop a bit
    animate the menu when it opens
    build me a small game like snake in the browser
    blender model of a chess piece
    arduino sketch that waters my plants
    print settings for petg on an ender
    pcb layout check
    matlab to numpy
    speed this loop up
    profile the app and show me where time goes
    there is a memory leak somewhere in the worker
    race condition in the cache, hunt it down
    flaky test again, make it stop
    bisect which commit broke login
    squash my branch into sane commits
    write the changelog for 2.3
    cut a release
    bump everything to the latest and fix what breaks
    upgrade to vue 3
    type hints for this package
    split this 2000 line file
    docs for the public api
    openapi spec from these handlers
    readme that people understand
    onboarding doc for new hires
    adr for why we picked kafka
    sequence diagram of the checkout flow
    mermaid chart of our services
    er diagram from these models
    user stories from this call
    acceptance criteria for the export ticket
    estimate these tickets
    groom the backlog
    sprint report for the boss
    okrs for the support team
    retro from these notes
    who owes what from yesterdays standup notes
    agenda for the kickoff
    minutes from this recording
    polite no to this vendor
    answer this angry customer
    newsletter about our spring menu
    three linkedin posts from this article
    press release, we raised money
    product description for a ceramic mug
    cold mail to a museum director
    follow up on the quote from last week
    interview questions for a data engineer
    go through these resumes
    job ad for a nurse
    performance review for someone who is great but late
    resign nicely
    wedding speech, my sister, 3 minutes
    bedtime story with a fox in it
    name my startup, check the domains too
    competitor analysis for note taking apps
    how big is the market for pet food subscriptions
    pricing page, three tiers
    survey to find out why people churn
    code the interview answers
    persona from these 8 calls
    a/b test plan for the new button
    event tracking plan
    gtm container, add the conversion tag
    shopify theme is broken on mobile
    wordpress site got slow, fix
    move the blog from medium to hugo
    webhook from stripe to slack
    zap that files attachments in drive
    google sheet that mails me when stock is low
    excel formula that looks up two columns
    pivot this by region and month
    merge these three workbooks
    make the pdf fillable
    ocr this scan and give me word
    sign and stamp these pdfs
    split this pdf every 10 pages
    epub from these markdown files
    rename 400 files by date taken
    dedupe my photo folder
    back up the nas to b2
    why is wifi bad in the kitchen, here is a scan
    home assistant automation for the blinds
    raspberry pi as a print server
    fine tune a small model on our tickets
    label these reviews by topic
    prompt keeps failing on long inputs, improve it
    evals for our rag bot
    embed the wiki and make it searchable
    mcp server for our crm
    slack bot that answers hr questions
    chrome extension that hides comments
    swift view for the profile tab
    flutter app crashes on android 14
    get this ready for the app store
    unity character controller
    shader that looks like water
    write a parser for this log format
    regex for german plates
    graphql for these tables
    grpc between the two services
    rate limit the public endpoints
    oauth login with github
    rotate our certificates
    multi tenant, how do we cut the data model
    queue instead of cron, redo it
    cache this properly
    i18n for the whole frontend
    e2e tests with a real browser
    load test it with 500 users
    mutation tests for the parser
    check the figma against the build
    color palette that passes contrast
    typeset this poem
    mix this song, vocals are too quiet
    chords for this melody
    lyrics, something about trains
    sheet music for ukulele
    crossword about cheese
    genealogy tree from these notes
    measure the garden off this satellite image
    map of all our stores
    route for 14 deliveries
    cad drawing of a shelf, 80 by 200
    reply to the reviewers of my paper
    grant proposal, 4 pages
    stats for my thesis, n is 38
    systematic review, where do i start, do the search
    lab protocol for pcr
    blast this sequence
    molecule viewer for these pdb files
    patent search on folding bikes
    """.strip().splitlines()
)

IDLE = tuple(
    line.strip()
    for line in """
    how far is the moon
    who painted the night watch
    when did the berlin wall fall
    what is the capital of australia, I always get it wrong
    how many feet in a mile
    is a tomato a fruit
    who was the first woman in space
    which planet has the most moons
    why is the sky blue
    how old is the universe
    what does etc. stand for
    how do you spell rhythm
    is it affect or effect
    whats the plural of octopus
    17 percent of 230
    square root of 2 to five digits
    80 fahrenheit in celsius
    what day of the week was 1 january 2000
    how many days until christmas
    what time is it in tokyo
    will it rain tomorrow
    is the shop around the corner open on sundays
    who won yesterday
    who is the president of france
    how long do you boil an egg
    can dogs eat grapes
    why do cats purr
    do plants sleep
    how does a microwave work
    what is inflation, in two sentences
    what is the difference between a virus and a bacterium
    who invented the zip
    what does the word serendipity mean
    what language do they speak in brazil
    tallest building in the world?
    how many people live in canada
    what year did the titanic sink
    whats the fastest animal
    name three rivers in africa
    who sang that song about the yellow submarine
    who directed that movie with the spinning top
    how does the book with the whale end
    is the new season any good
    recommend a film for tonight
    something to read on the beach?
    what should I cook, I have eggs and rice
    tell me a joke
    another one, that was bad
    sing me something
    are you awake
    do you like music
    what is your favourite colour
    do you dream
    how old are you
    are you better than the other one
    do you get tired of me
    thanks for yesterday, it went well
    thank you, you saved my evening
    great, that worked on the first try
    perfect, sent it to her already
    ok that was much easier than I thought
    good, I will tell the team
    nice one, merging now
    good morning, coffee first
    happy friday
    I had a terrible day
    my cat died this morning
    we got the flat!
    I passed my exam
    my boss is driving me mad
    the kids are finally asleep
    I can't sleep
    I have a cold and no soup
    should I text him back
    is it weird to bring wine to a work dinner
    what do I give my dad, he has everything
    should I take an umbrella
    is 40 too old to learn the piano
    tea or coffee
    it's so hot in here
    I think I left the stove on
    my sister is getting married in june
    just moved, boxes everywhere
    the train is late again
    what is docker, roughly
    what does api stand for
    is python older than java
    who made linux
    why is it called git
    what was the first web browser
    is rust hard to learn
    tabs or spaces, honest opinion
    vim or emacs
    is kubernetes overkill for a blog, just your gut feeling
    do people still use perl
    what does the s in https mean
    what is a pdf actually
    which came first, word or wordperfect
    who owns github now
    is figma still independent
    how do you pronounce nginx
    what is the mascot of postgres called
    is excel older than me, born 1989
    does slack cost anything for a group of five
    what is the newest iphone
    is typescript just javascript with types?
    what is yaml short for
    what port does ssh use
    what is http 418
    how many bits in a byte
    what is the difference between ram and disk, my mum asks
    did they rename twitter
    is crypto dead
    my neighbour works at google, he says it is all meetings
    our standup was 40 minutes today, just venting
    I hate jira
    somebody broke the build and went to lunch, typical
    the release is out, I can breathe again
    we use react at work, I quite like it
    back in the day we deployed by ftp
    I dreamt about merge conflicts
    our designer quit, sad
    I spilled coffee on the laptop, it survived
    finally killed that bug yesterday, two days for a missing comma
    everyone in the office talks about ai and nobody does anything
    got a new keyboard, it is very loud
    open app.py
    show me the file
    where is the config
    what is in src/utils
    which line sets the timeout
    what does line 40 do
    how many files are in this folder
    is there a readme
    which branch am I on
    what was the last commit
    who wrote this function
    scroll up a bit
    go back to the other tab
    what is this variable called
    where do we import it
    is the server running
    list the folders here
    which version is in package.json
    add a semicolon there
    rename x to count
    delete that line
    put a blank line before the return
    change the title to Welcome back
    make it 20 instead of 10
    remove the print
    fix the typo in line 3, it says teh
    swap the two arguments
    uppercase that constant
    indent it by two
    set debug to false
    comment that out
    uncomment it again
    change the colour to blue
    change the year in the footer to 2026
    replace the double quotes by single ones in that string
    move that import to the top
    undo the last edit
    make the variable private
    add a comma after the name
    a word for being happy and sad at once
    a synonym for important
    opposite of generous?
    rhyme for orange
    how do I say thank you in italian
    what's hello in japanese
    one sentence for a birthday card, she turns 30
    caption for a picture of my dog, five words
    a name for a goldfish
    nickname for a guy who is always late
    how do I sign off a mail to a professor, regards or sincerely
    is there a comma before and here
    make that sentence shorter
    does this sound rude
    say it in a friendlier way
    dear or hi?
    haiku about mondays
    a toast, one line
    which is nicer, navy or teal
    what would you do
    what was my first question
    you already said that
    that is not what it said on the website
    forget what I said about the colour
    wait, scrap all of that
    continue where you stopped
    why did you do it like that
    is that all
    show me that again
    can you see my screen
    do you keep what I tell you
    how much do you cost
    what day is it
    never mind, found it myself
    I'll do it by hand
    let us talk about something else
    can we start over
    ok new topic
    you are funny
    you were wrong about the date
    are you sure about the last number
    how did you get that number
    can I trust this
    who else knows
    say that in german
    """.strip().splitlines()
)


def asked(text: str, ways: Sequence[str], draw: random.Random) -> str:
    """A text said in one of several ways: `ASKED`, `MENTIONED` or `ANSWERED`."""
    return draw.choice(ways).format(text[0].lower() + text[1:].rstrip("?"))
