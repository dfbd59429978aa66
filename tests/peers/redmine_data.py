"""How the Redmine of the tests is set up: its configuration, and what is in it at the beginning."""

from string import Template

# The packaged list names the driver by itself where the package was told of a database.
GEMS = "gem 'puma'\ngem 'pg' unless dependencies.any? { |each| each.name == 'pg' }\n"

DATABASE = Template("""production:
  adapter: postgresql
  host: $sockets
  database: redmine
  username: redmine
  encoding: utf8
""")

# Projects bear the names of support units; what lands in To_GGUS is meant for us. Behind_A_Wall is
# private, and our account is no member of it. The role Narrow may not reject issues or edit notes.
CONTENT = r"""
Setting.rest_api_enabled = '1'
Setting.host_name = "127.0.0.1:#{ENV['TICKETLEDGER_PORT']}"
Setting.mail_from = 'redmine@peer.test'
Setting.default_language = 'en'
Setting.session_lifetime = 0
def key(user, value)
  token = Token.create!(user: user, action: 'api')
  token.update_column(:value, value) # what it made up for itself is replaced
end
admin = User.find_by(login: 'admin')
admin.must_change_passwd = false
admin.save!
key(admin, ENV['TICKETLEDGER_ADMIN'])
accounts = %w[bridge supporter customer].map do |login|
  user = User.new(firstname: login.capitalize, lastname: 'Account', mail: "#{login}@peer.test", language: 'en')
  user.login = login
  user.password = user.password_confirmation = SecureRandom.hex(12)
  user.mail_notification = 'none'
  user.save!
  user.pref.hide_mail = false
  user.pref.save!
  key(user, ENV["TICKETLEDGER_#{login.upcase}"])
  [login, user]
end.to_h
role = Role.find_by(name: 'Manager') or raise 'no role'
tracker = Tracker.find_by(name: 'Support') or raise 'no tracker'
narrow = Role.create!(name: 'Narrow', permissions: role.permissions - %i[edit_issue_notes edit_own_issue_notes])
IssueStatus.where.not(name: 'Rejected').each do |old|
  IssueStatus.where.not(name: 'Rejected').each do |new|
    WorkflowTransition.create!(role: narrow, tracker: tracker, old_status: old, new_status: new) unless old == new
  end
end
def project(name, tracker)
  made = Project.new(name: name, is_public: false, trackers: [tracker])
  made.identifier = name.downcase
  made.enabled_module_names = %w[issue_tracking]
  made.save!
  made
end
%w[ROC_DE ROC_IT NGI_FR To_GGUS Behind_A_Wall].each do |name|
  made = project(name, tracker)
  accounts.each do |login, user|
    next if name == 'Behind_A_Wall' && login == 'bridge'
    roles = [name == 'NGI_FR' && login == 'bridge' ? narrow : role]
    Member.create!(principal: user, project: made, roles: roles)
  end
end
%w[ExternalID ExternalURL AffectedSite EventID].each do |name|
  IssueCustomField.create!(name: name, field_format: 'string', is_for_all: true, is_filter: true,
                           searchable: true, trackers: Tracker.all.to_a, editable: true)
end
"""
